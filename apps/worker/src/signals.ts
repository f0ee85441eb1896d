/** Explains signals to users. Numbers of Linux on x86_64 and arm64 (signal(7)). */

const SIGNALS: Readonly<Record<number, readonly [name: string, meaning: string]>> = {
  1: ['SIGHUP', 'its terminal was closed'],
  2: ['SIGINT', 'it was interrupted'],
  3: ['SIGQUIT', 'it was told to quit'],
  4: [
    'SIGILL',
    'it executed an invalid instruction, for example __builtin_trap, or the end of a function that returns no value',
  ],
  5: ['SIGTRAP', 'it reached a breakpoint or a trap instruction'],
  6: [
    'SIGABRT',
    'it called abort, for example after a failed assertion, an exception that nothing handles, or damaged memory',
  ],
  7: ['SIGBUS', 'it used an invalid memory address, for example behind the end of a mapped file'],
  8: ['SIGFPE', 'an integer was divided by zero, or a division overflowed'],
  9: ['SIGKILL', 'it sent this signal to itself; no limit was reached'],
  10: ['SIGUSR1', 'it got a signal that it does not handle'],
  11: [
    'SIGSEGV',
    'it used memory that is not its own (a null or invalid pointer, an index out of range), or its stack is full (recursion without end)',
  ],
  12: ['SIGUSR2', 'it got a signal that it does not handle'],
  13: ['SIGPIPE', 'it wrote to a pipe that nobody reads'],
  14: ['SIGALRM', 'its alarm went off, and it does not handle that signal'],
  15: ['SIGTERM', 'it was told to end'],
  16: ['SIGSTKFLT', 'the stack of the coprocessor failed'],
  24: ['SIGXCPU', 'it used more processor time than it had allowed itself (setrlimit)'],
  25: ['SIGXFSZ', 'it wrote a larger file than it had allowed itself (setrlimit)'],
  26: ['SIGVTALRM', 'its timer went off, and it does not handle that signal'],
  27: ['SIGPROF', 'its profiling timer went off, and it does not handle that signal'],
  29: ['SIGIO', 'it got a signal that it does not handle'],
  30: ['SIGPWR', 'it got a signal that it does not handle'],
  31: ['SIGSYS', 'it made a system call that is not allowed here'],
};

/** The C library reserves 32 and 33. */
const FIRST_REAL_TIME_SIGNAL = 34;

export function signalWords(signal: number, noun: string): string {
  const [name, meaning] = SIGNALS[signal] ?? realTimeSignal(signal);
  return `The ${noun} was stopped by the signal ${name}: ${meaning}.`;
}

function realTimeSignal(signal: number): readonly [name: string, meaning: string] {
  const offset = signal - FIRST_REAL_TIME_SIGNAL;
  const name = offset < 0 ? `number ${signal}` : offset === 0 ? 'SIGRTMIN' : `SIGRTMIN+${offset}`;
  return [name, 'it got a signal that it does not handle'];
}
