/** Looks for remains of a deployment from outside. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Fleet } from './fleet.js';
import type { Machine } from './machine.js';

const CONNECTIONS_MS = 10_000;

export interface Bounds {
  readonly replyExpiryMs: number;
  readonly sweptWithinMs: number;
  /** Folders of the engine before the first run. */
  readonly foldersBefore: number;
  /** Folders that the engine may have kept because of its own end or a full disk. */
  readonly foldersInterrupted: number;
}

/** Ends the deployment and waits for its cleanup; resolves with the remains, one per line. */
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

/** Repeats `look` until it finds nothing or the time is over. */
async function settled(look: () => Promise<string[]>, patienceMs: number): Promise<string[]> {
  for (const deadline = performance.now() + patienceMs; ; await sleep(500)) {
    const found = await look();
    if (found.length === 0 || performance.now() > deadline) return found;
  }
}
