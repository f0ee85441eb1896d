/** What is left of a deployment, looked for from outside. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Fleet } from './fleet.js';
import type { Machine } from './machine.js';

const CONNECTIONS_MS = 10_000;

export interface Bounds {
  readonly replyExpiryMs: number;
  readonly sweptWithinMs: number;
  /** Of the engine, before anything was run. */
  readonly foldersBefore: number;
  /** Those that its own end, or a full disk, may have kept it from removing. */
  readonly foldersInterrupted: number;
}

/** Ends the deployment, and gives its own cleaning its time; resolves with what it has left, each a line. */
export async function endAndLook(
  machine: Machine,
  fleet: Fleet,
  namespace: string,
  { replyExpiryMs, sweptWithinMs, foldersBefore, foldersInterrupted }: Bounds,
): Promise<string[]> {
  const containers = async () =>
    (await machine.containers()).map(({ Names, State }) => `container ${Names.join()} (${State})`);
  const leftContainers = await fleet.end(() => settled(containers, sweptWithinMs));
  const inBroker = await settled(() => machine.leftInBroker(namespace), replyExpiryMs + CONNECTIONS_MS);
  const alive = fleet.members.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const folders = async () => {
    const more = machine.engineFolders() - foldersBefore;
    return Promise.resolve(more > foldersInterrupted ? [`${more} folders of the engine`] : []);
  };
  return [
    ...leftContainers,
    ...inBroker,
    ...alive.map(({ app, child }) => `process ${app} ${child.pid}`),
    ...(await settled(folders, CONNECTIONS_MS)),
  ];
}

/** What `look` finds when it finds nothing, or at the end of the time. */
async function settled(look: () => Promise<string[]>, patienceMs: number): Promise<string[]> {
  for (const deadline = performance.now() + patienceMs; ; await sleep(500)) {
    const found = await look();
    if (found.length === 0 || performance.now() > deadline) return found;
  }
}
