import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { isGvisor } from '../../packages/sandbox/src/gvisor.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { differences } from '../helpers/golden-differences.js';
import { loadFixtures, play, type Fixture } from '../helpers/golden.js';
import { partOf } from '../helpers/part.js';

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 2, workers: 2 });
}, 60_000);
afterAll(() => service.end(), 60_000);

/** gVisor does not keep the order of lines written close together (README.md, What a reader sees). */
const gvisor = isGvisor(process.env.SANDBOX_RUNTIME);

/** The fixtures contain the usual limit; slow runtimes get a longer one. */
const limitMs = Number(process.env.RUN_LIMIT_MS ?? 10_000);
const asLimited = (fixture: Fixture) =>
  JSON.parse(
    JSON.stringify(fixture.expected).replaceAll('Maximum 10s process', `Maximum ${limitMs / 1000}s process`),
  ) as Fixture['expected'];

describe('the golden cases, with two widgets behind a round robin', () => {
  it.each(partOf(loadFixtures()).map((fixture) => [fixture.name, fixture] as const))(
    '%s',
    async (_, fixture) => {
      expect(
        differences(asLimited(fixture), await play(service.base, fixture), {
          streamsApart: gvisor,
          memoryLimitUnnoticed: gvisor,
        }),
      ).toEqual([]);
    },
    60_000,
  );
});
