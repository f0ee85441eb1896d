/** Uses more of each resource than a program may have, and measures the effect on others. */
import { submit } from '../helpers/client.js';
import { ada, adaMain, c } from './lib/programs.js';
import { held, made, type Attack } from './lib/attack.js';
import { growthOf } from './lib/memory.js';
import { largestShare } from './lib/processor.js';
import { RUN_LIMIT_MS, type World } from './lib/world.js';

const MIB = 1024 * 1024;
const OUTPUT_LIMIT = MIB;
const WORKER_MAY_GROW = 64 * MIB;
/** From the last permitted byte to the end of the task, including the time of polls. */
const ENDS_WITHIN_MS = 2000;
const got = (stdout: string): number => Number(/got (\d+)/.exec(stdout)?.[1] ?? Number.POSITIVE_INFINITY);

/** Starts to count once all eight threads compute; a loaded machine may give them little more. */
const spinning = c(
  'all of the processor',
  'Computes in eight threads at once, on more than its one processor.',
  `#include <pthread.h>
   static volatile long rounds[8]; static void *spin(void *n) { for (;;) rounds[(long)n]++; }
   int main(void) { pthread_t t; for (long i = 0; i < 8; i++) pthread_create(&t, NULL, spin, (void *)i);
     for (int i = 0; i < 8; i++) while (rounds[i] < 1000) usleep(10000);
     trying(); pause(); }`,
);

/** Floods run one after another, so that each one's cost can be measured. */
let turn: Promise<unknown> = Promise.resolve();

/** An endless writer: measures the workers' memory, the time to its end, and the output. */
const flood = (name: string, tries: string, statements: string): Attack => ({
  name,
  tries,
  attack: (world, token) => {
    const mine = turn.then(() => measureFlood(world, token, statements));
    turn = mine.catch(() => undefined);
    return mine;
  },
});

async function measureFlood(world: World, token: string, statements: string): Promise<void> {
  const source = `#define _GNU_SOURCE\n#include <unistd.h>\n#include <string.h>\nstatic char block[1 << 16];
int main(void) { memset(block, 'x', sizeof block); ${statements} }\n`;
  const grown = await growthOf(world.service.workers, async () => {
    const { identifier, status, output } = await world.run(token, {
      mode: 'run',
      main: 'main.c',
      files: [{ basename: 'main.c', contents: source }],
    });
    const bytes = output.reduce(
      (sum, { msg }) => sum + (msg.type === 'stdout' || msg.type === 'stderr' ? Buffer.byteLength(msg.data) : 0),
      0,
    );
    const { runMs } = await world.service.lineOfEnd(identifier);
    made(bytes > OUTPUT_LIMIT / 2 || status === 124, `only ${bytes} bytes came`);
    held(status === 153 || status === 124, `the flood ended with ${status}`);
    held(bytes <= OUTPUT_LIMIT + 4096, `${bytes} bytes came out`);
    held(Number(runMs) < RUN_LIMIT_MS + ENDS_WITHIN_MS, `a run of ${Number(runMs)} ms`);
  });
  held(grown < WORKER_MAY_GROW, `${Math.round(grown / MIB)} MiB more in a worker`);
}

export const attacks: Attack[] = [
  c(
    'memory',
    'Takes memory and touches it, until there is no more.',
    'int main(void) { trying(); for (long n = 1;; n++) { char *p = malloc(1 << 20); if (!p) break; memset(p, 1, 1 << 20); if (n >= 300) { through("300 MiB"); return 0; } } }',
  ),
  c(
    'memory of many kinds',
    'Takes memory that may not be counted: shared maps, files of memory, pipes full of bytes, locked pages.',
    `static char block[1 << 16];
     int main(void) { trying(); long sum = 0; for (int i = 0; i < 500; i++) { int p[2]; if (pipe(p)) break; fcntl(p[1], F_SETFL, O_NONBLOCK); fcntl(p[1], 1031, 1 << 20); long n; while ((n = write(p[1], block, sizeof block)) > 0) sum += n; }
       for (int i = 0; i < 400; i++) { char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) break; memset(p, 1, 1 << 20); sum += 1 << 20; if (sum > 300L << 20) { through("300 MiB"); return 0; } } }`,
  ),
  ada(
    'memory from Ada',
    'Allocates blocks and recurses without an end.',
    adaMain(
      '   for I in 1 .. 400 loop\n      P := new Block\'(others => 1);\n   end loop;\n   Put_Line ("through " & Argument (1));',
      "   type Block is array (1 .. 2 ** 20) of Character range Character'Val (0) .. Character'Val (127);\n   type Pointer is access Block;\n   P : Pointer;",
    ).replace("'(others => 1)", "'(others => 'x')"),
  ),
  c(
    'a fork bomb',
    'Forks by the raw call, over and over.',
    'int main(void) { trying(); for (int i = 0; i < 100000; i++) forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }',
  ),
  c(
    'a thread bomb',
    'Makes threads until it gets no more.',
    `#include <pthread.h>
     static void *nap(void *x) { pause(); return x; }
     int main(void) { trying(); long n = 0; pthread_t t; pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 16384); while (n < 20000 && pthread_create(&t, &a, nap, NULL) == 0) n++; printf("got %ld\\n", n); }`,
    { look: ({ stdout }) => held(got(stdout) <= 100, `${got(stdout)} threads`) },
  ),
  ada(
    'a task bomb',
    'Makes tasks of Ada that make tasks of Ada.',
    adaMain(
      '   declare\n      type Many is array (1 .. 5000) of Worker;\n      All_Of_Them : Many;\n   begin\n      delay 0.2;\n      Put_Line ("through " & Argument (1));\n      abort All_Of_Them (1);\n   end;',
      '   task type Worker;\n   task body Worker is begin delay 1.0; end Worker;',
    ),
  ),
  {
    ...spinning,
    async attack(world, token) {
      const share = await largestShare(world, spinning.attack(world, token));
      made(share > 0, 'no container was seen to compute');
      held(share < 1.35, `a container got ${share.toFixed(2)} processors`);
    },
  },
  c(
    'open files',
    'Opens files until it gets no more.',
    'int main(void) { trying(); long n = 0; while (n < 100000 && open("main.c", O_RDONLY) >= 0) n++; printf("got %ld\\n", n); }',
    { look: ({ stdout }) => held(got(stdout) <= 1024, `${got(stdout)} open files`) },
  ),
  c(
    'a core dump',
    'Dumps two hundred MiB of core as often as it can.',
    `#include <sys/resource.h>
     int main(void) { trying(); struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY}; if (setrlimit(RLIMIT_CORE, &r) == 0) through("core dumps"); prctl(PR_SET_DUMPABLE, 1); *(volatile int *)0 = 0; }`,
  ),
  flood(
    'a gigabyte of output',
    'Writes a gigabyte to stdout as fast as it can.',
    'for (long n = 0; n < 1L << 30; n += sizeof block) write(1, block, sizeof block);',
  ),
  flood(
    'stdout and stderr',
    'Writes to both streams in turn, a few bytes each time.',
    'for (;;) { write(1, "o\\n", 2); write(2, "e\\n", 2); }',
  ),
  flood(
    'a million tiny writes',
    'Writes byte by byte, so that each byte is a message.',
    'for (int i = 0; i < 1200000; i++) write(1, i % 2 ? "\\n" : "y", 1);',
  ),
  {
    name: 'many requests at once',
    tries: 'Sends more programs than the queue may hold, so that others find no room or no answer.',
    async attack(world) {
      const files = [{ basename: 'main.c', contents: 'int main(void) { return 0; }\n' }];
      const answers = await Promise.allSettled(
        Array.from({ length: 12 }, () => submit(world.service.base, { mode: 'compile', files })),
      );
      const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [String(answer.reason)] : []));
      held(
        refused.every((reason) => /refused: (429|503)/.test(reason)),
        `answers other than "later": ${refused.join()}`,
      );
    },
  },
];
