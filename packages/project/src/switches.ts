/** Which switches a request may ask for; what is not here never reaches a tool. */
export const ALLOWED_SWITCHES = {
  Compiler: [
    ...['-g', '-O0', '-gnata', '-gnatwa', '-gnateE'],
    ...['-gnato', '-gnato0', '-gnato11', '-gnato21', '-gnato22', '-gnato23'],
    ...['-gnatW8', '-gnatyg0-s', '-gnatyM50', '-gnatyM80', '-gnat2022', '-gnatX'],
  ],
  Builder: ['-g'],
} as const satisfies Record<string, readonly string[]>;

/** A package of the project file that takes switches. */
export type SwitchPackage = keyof typeof ALLOWED_SWITCHES;

/** A request can ask for a million switches; the log is spared most of them. */
const MAX_DROPPED = 20;
const MAX_DROPPED_LENGTH = 100;

export interface SortedSwitches {
  /** By package, in the order asked for, each once. */
  readonly allowed: ReadonlyMap<string, readonly string[]>;
  /** The first few, as `<package> <switch>` and cut short: text of the client's, for the log alone. */
  readonly dropped: readonly string[];
}

/** Parts the switches that a request asks for; an unknown package is dropped with all that is in it. */
export function sortSwitches(asked: Readonly<Record<string, readonly string[]>> = {}): SortedSwitches {
  const table = new Map<string, readonly string[]>(Object.entries(ALLOWED_SWITCHES));
  const allowed = new Map<string, readonly string[]>();
  const dropped: string[] = [];
  for (const [name, switches] of Object.entries(asked)) {
    const kept: string[] = [];
    // Of a switch that is repeated the last one stays: of -gnato and its like, the last one wins.
    for (const each of [...new Set(switches.toReversed())].reverse()) {
      if (table.get(name)?.includes(each)) kept.push(each);
      else if (dropped.length < MAX_DROPPED) dropped.push(`${name} ${each}`.slice(0, MAX_DROPPED_LENGTH));
    }
    allowed.set(name, kept);
  }
  return { allowed, dropped };
}
