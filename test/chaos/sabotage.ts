/** Builds of the service that break a promise each: what the chaos run must catch, or it proves nothing. */
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ChaosResult } from './run.js';
import type { ScheduledFault } from './schedule.js';

export interface Sabotage {
  readonly name: string;
  readonly tasks: number;
  readonly faults: () => Iterator<ScheduledFault, unknown>;
  /** Where it has to show. */
  readonly shows: 'lost' | 'doubled' | 'leaked';
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const noFaults = () => ([] as ScheduledFault[]).values();

function* kills(): Generator<ScheduledFault, never> {
  for (let victim = 0; ; victim++) yield { name: 'worker SIGKILL', afterMs: 3_000, victim };
}

export const SABOTAGES: readonly Sabotage[] = [
  {
    name: 'a task is acknowledged before the work',
    tasks: 10,
    faults: kills,
    shows: 'lost',
    file: 'packages/broker/dist/task-consumer.js',
    find: 'async work(channel, message, replies, signal) {',
    replace: `async work(channel, message, replies, signal) {
        channel.ack(message);
        channel = { ack() {}, reject() {} };`,
  },
  {
    name: 'the final message is published twice',
    tasks: 4,
    faults: noFaults,
    shows: 'doubled',
    file: 'apps/worker/dist/reporter.js',
    find: "await this.replies.publish({ version: MESSAGE_VERSION, kind: 'final', attempt, items, ...end });",
    replace: "for (let i = 0; i < 2; i++) await this.replies.publish({ version: MESSAGE_VERSION, kind: 'final', attempt, items, ...end });",
  },
  {
    name: 'containers are not removed',
    tasks: 4,
    faults: noFaults,
    shows: 'leaked',
    file: 'packages/sandbox/dist/removals.js',
    find: '\n    remove(nameOrId, afterMs = 0) {\n',
    replace: '\n    remove(nameOrId, afterMs = 0) {\n        if (nameOrId) return Promise.resolve(true);\n',
  },
];

export const isCaught = ({ shows }: Sabotage, result: ChaosResult): boolean => result[shows].length > 0;

/** A copy of what a build runs, with one thing changed; resolves to its root. */
export function sabotagedBuild({ file, find, replace }: Sabotage, checkout: string, folder: string): string {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@code-widgets'), { recursive: true });
  for (const name of readdirSync(join(checkout, 'node_modules')).filter((each) => each !== '@code-widgets')) {
    symlinkSync(join(checkout, 'node_modules', name), join(modules, name));
  }
  for (const kind of ['apps', 'packages']) {
    for (const name of readdirSync(join(checkout, kind))) {
      const copy = join(folder, kind, name);
      for (const part of ['dist', 'package.json']) cpSync(join(checkout, kind, name, part), join(copy, part), { recursive: true });
      symlinkSync(copy, join(modules, '@code-widgets', name));
    }
  }
  const path = join(folder, file);
  const before = readFileSync(path, 'utf8');
  if (before.split(find).length !== 2) throw new Error(`${file} has not once: ${find}`);
  writeFileSync(path, before.replace(find, () => replace));
  return folder;
}
