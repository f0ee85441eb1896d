import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { isGvisor } from '../../packages/sandbox/src/gvisor.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { faultsOfReport, loadReports, type Report } from '../helpers/reports.js';

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 1, workers: 1 });
}, 60_000);
afterAll(() => service.end(), 60_000);

/** gVisor keeps no order of lines that are written close together (docs/operations.md). */
const canOrder = ({ expect: { alternate } }: Report) => alternate === undefined || !isGvisor(process.env.SANDBOX_RUNTIME);

describe('a program of a public bug report is shown as its reader expects', () => {
  it.each(loadReports().filter(canOrder).map((report) => [`${report.name} (${report.source})`, report] as const))(
    '%s',
    async (_, report) => {
      expect(await faultsOfReport(service.base, report)).toEqual([]);
    },
    90_000,
  );
});
