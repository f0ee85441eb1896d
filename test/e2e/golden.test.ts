import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { deploy, type Deployment } from '../helpers/deployment.js';
import { differences } from '../helpers/golden-differences.js';
import { loadFixtures, play } from '../helpers/golden.js';
import { partOf } from '../helpers/part.js';

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 2, workers: 2 });
}, 60_000);
afterAll(() => service.end(), 60_000);

describe('the golden cases, with two widgets behind a round robin', () => {
  it.each(partOf(loadFixtures()).map((fixture) => [fixture.name, fixture] as const))(
    '%s',
    async (_, fixture) => {
      expect(differences(fixture.expected, await play(service.base, fixture))).toEqual([]);
    },
    60_000,
  );
});
