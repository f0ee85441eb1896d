/** An error with a message for the user at the terminal, printed without a stack. */
export class Problem extends Error {}

const PART_WIDTH = 8;

/** Prints one line about a part that is being started or stopped. */
export function say(part: string, text: string): void {
  console.log(`${part.padEnd(PART_WIDTH)}  ${text}`);
}

/** Runs `work` and prints one line with its result and duration. */
export async function timed<T>(part: string, work: () => Promise<T>, describe: (result: T) => string): Promise<T> {
  const begin = performance.now();
  const result = await work();
  say(part, `${describe(result)}, ${seconds(performance.now() - begin)}`);
  return result;
}

/** Milliseconds in readable form: "0.4 s", "41 s". */
export function seconds(milliseconds: number): string {
  const value = milliseconds / 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}

/** Formats an error: a Problem by its message, anything else with its stack. */
export function explain(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (error instanceof Error) return error.stack ?? error.message;
  return String(error);
}

/** Exits with the status that a command's `main` resolves with, or with 1 and an explanation. */
export function runToExit(main: () => Promise<number>): void {
  // A closed terminal or pipe must not break the shutdown that it triggered.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  main().then(
    (status) => process.exit(status),
    (error: unknown) => {
      console.error(explain(error));
      process.exit(1);
    },
  );
}
