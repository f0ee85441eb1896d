/** Switches that a request may ask for. No other one reaches a tool. */
export const ALLOWED_SWITCHES = {
  Compiler: [
    ...['-g', '-O0', '-gnata', '-gnatwa', '-gnateE'],
    ...['-gnato', '-gnato0', '-gnato11', '-gnato21', '-gnato22', '-gnato23'],
    ...['-gnatW8', '-gnatyg0-s', '-gnatyM50', '-gnatyM80', '-gnat2022', '-gnatX'],
  ],
  Builder: ['-g'],
} as const satisfies Record<string, readonly string[]>;

export type SwitchPackage = keyof typeof ALLOWED_SWITCHES;

/** A request can have thousands of switches, so only a few are logged. */
const MAX_DROPPED = 20;
const MAX_DROPPED_LENGTH = 100;

export interface SortedSwitches {
  /** By package, in the request's order, without duplicates. */
  readonly allowed: ReadonlyMap<string, readonly string[]>;
  /** The first few as `<package> <switch>`, cut short. Untrusted text, for the log only. */
  readonly dropped: readonly string[];
}

/** An unknown package is dropped with all its switches. */
export function sortSwitches(asked: Readonly<Record<string, readonly string[]>> = {}): SortedSwitches {
  const table = new Map<string, readonly string[]>(Object.entries(ALLOWED_SWITCHES));
  const allowed = new Map<string, readonly string[]>();
  const dropped: string[] = [];
  for (const [name, switches] of Object.entries(asked)) {
    const permitted: string[] = [];
    // Of repeated switches the last one stays, since the last -gnato and its like wins.
    for (const each of [...new Set(switches.toReversed())].reverse()) {
      if (table.get(name)?.includes(each)) permitted.push(each);
      else if (dropped.length < MAX_DROPPED) dropped.push(`${name} ${each}`.slice(0, MAX_DROPPED_LENGTH));
    }
    allowed.set(name, permitted);
  }
  return { allowed, dropped };
}
