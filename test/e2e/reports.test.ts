import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { isGvisor } from '../../packages/sandbox/src/gvisor.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { faultsOf, faultsOfReport, loadReports, type Report } from '../helpers/reports.js';

let service: Deployment;
beforeAll(async () => {
  // The contract's limit, since a report names it.
  service = await deploy({ widgets: 1, workers: 1, env: { RUN_LIMIT_MS: '10000' } });
}, 60_000);
afterAll(() => service.end(), 60_000);

/** Builds take three to four times as long under gVisor. Output that is not live would take longer still. */
const SLOWNESS = isGvisor(process.env.SANDBOX_RUNTIME) ? 1.8 : 1;
const allowTime = ({ firstStdoutMs, ...more }: Report['expect']) => ({
  ...more,
  ...(firstStdoutMs !== undefined && { firstStdoutMs: firstStdoutMs * SLOWNESS }),
});

/** gVisor does not keep the order of lines written close together (README.md, What a reader sees). */
const canOrder = ({ expect: { alternate } }: Report) =>
  alternate === undefined || !isGvisor(process.env.SANDBOX_RUNTIME);

describe("the comparison with a report's expectation", () => {
  const item = (type: 'stdout' | 'stderr', data: string) => ({ msg: { type, data } });
  const shown = {
    output: [item('stdout', 'a\nb\n'), item('stderr', 'c\n'), item('stdout', 'd')],
    status: 3,
    firstStdoutMs: 9,
  };

  it.each([
    [{ status: 0 }],
    [{ notStatus: 3 }],
    [{ lines: ['stdout: ^b$', 'stdout: ^a$'] }],
    [{ lines: ['stderr: ^a$'] }],
    [{ alternate: ['stdout: .', 'stderr: .', 2] as const }],
    [{ never: '^c$' }],
    [{ firstStdoutMs: 8 }],
    [{ labActual: { 1: 'x' } }],
    [{ labSuccess: true }],
  ])('reports a violation of %j', (expectation) => {
    expect(faultsOf(shown, expectation)).toHaveLength(1);
  });

  it('reports nothing if everything is as expected', () => {
    expect(
      faultsOf(shown, {
        status: 3,
        lines: ['stdout: ^a$', 'any: ^c$', 'stdout: ^d$'],
        never: 'e',
        firstStdoutMs: 9,
        noLabSuccess: true,
      }),
    ).toEqual([]);
    expect(faultsOf({ ...shown, output: shown.output.slice(1) }, { alternate: ['stderr: c', 'stdout: d', 1] })).toEqual(
      [],
    );
  });
});

describe('a program from a public bug report has the expected output', () => {
  it.each(
    loadReports()
      .filter(canOrder)
      .map((report) => [`${report.name} (${report.source})`, report] as const),
  )(
    '%s',
    async (_, report) => {
      expect(await faultsOfReport(service.base, { ...report, expect: allowTime(report.expect) })).toEqual([]);
    },
    90_000,
  );
});
