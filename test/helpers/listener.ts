/** Who listens on a port of this machine. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** As /proc/net/tcp has it. */
const LISTENS = '0A';

/** The process that listens on a TCP port, of those that we may look at. */
export function listenerOn(port: number): { pid: number; name: string } | undefined {
  const sockets = ['tcp', 'tcp6'].flatMap((table) => socketsListeningOn(port, tried(() => readFileSync(`/proc/net/${table}`, 'utf8'), '')));
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && filesOf(entry).some((file) => sockets.includes(file)));
  return pid === undefined ? undefined : { pid: Number(pid), name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() };
}

function socketsListeningOn(port: number, table: string): string[] {
  const lines = table.split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  const ours = lines.filter(([, local = '', , state]) => state === LISTENS && parseInt(local.split(':')[1] ?? '', 16) === port);
  return ours.map((columns) => `socket:[${columns[9]}]`);
}

function filesOf(pid: string): string[] {
  const folder = `/proc/${pid}/fd`;
  return tried(() => readdirSync(folder), []).map((fd) => tried(() => readlinkSync(`${folder}/${fd}`), ''));
}

/** What has ended, or was closed, while we looked is not there; nor is tcp6 without IPv6. */
function tried<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
