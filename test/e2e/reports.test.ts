import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { deploy, type Deployment } from '../helpers/deployment.js';
import { faultsOfReport, loadReports } from '../helpers/reports.js';

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 1, workers: 1 });
}, 60_000);
afterAll(() => service.end(), 60_000);

describe('a program of a public bug report is shown as its reader expects', () => {
  it.each(loadReports().map((report) => [`${report.name} (${report.source})`, report] as const))(
    '%s',
    async (_, report) => {
      expect(await faultsOfReport(service.base, report)).toEqual([]);
    },
    90_000,
  );
});
