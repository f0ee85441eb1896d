/** Incidents of similar services, each named after its report. */
import { setTimeout as sleep } from 'node:timers/promises';

import { post, submit } from '../helpers/client.js';
import { containersOf } from '../helpers/deployment.js';
import { held, made, type Attack } from './lib/attack.js';
import { ada, adaMain, c } from './lib/programs.js';
import type { World } from './lib/world.js';

const PLAIN = { basename: 'main.c', contents: '#include <stdio.h>\nint main(void) {\n puts("plain"); }\n' };
/** A program for each way in which a phase can fail. */
const FAULTS: Record<string, string> = {
  'a build that fails': 'int main(void) { syntax }',
  'a build out of memory': '#include "/dev/zero"\nint main(void) {}\n',
  'a run out of time': 'int main(void) { for (;;); }',
  'a run out of memory':
    '#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }',
  'a run of too much output':
    '#include <stdio.h>\nint main(void) { for (;;) puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); }',
  'a crash': 'int main(void) { __builtin_trap(); }',
};

export const attacks: Attack[] = [
  c(
    'Judge0 CVE-2024-28185: a link in the place of a script',
    'Puts links where the service might write the next step, so that it writes over a file of the host.',
    (
      world,
    ) => `int main(void) { trying(); const char *names[] = {"run", "script.sh", "main.o", "stdout", "output", "x", "../tmp/main", "b__main.c"};
       for (int i = 0; i < 8; i++) { symlink("/tmp/x-" TOKEN, names[i]); } symlink("${world.secretPath}", "link"); symlink("/", "root"); }`,
    { request: { mode: 'submit' }, files: [{ basename: 'lab_io.txt', contents: 'in1: a\nout1:x\nin2: b\nout2:x\n' }] },
  ),
  c(
    'Judge0 CVE-2024-28189: a changed owner',
    'Has the owner of a file beyond a link changed, by the service or by itself.',
    (
      world,
    ) => `int main(void) { trying(); symlink("${world.secretPath}", "link"); symlink("/etc/passwd", "passwd"); struct stat s;
       if (chown("link", getuid(), getgid()) == 0 || chown("passwd", getuid(), getgid()) == 0) through("an owner changed");
       if (stat("main.c", &s) == 0 && s.st_uid == getuid()) through("a source of its own"); if (stat("/etc/passwd", &s) == 0 && s.st_uid == getuid()) through("/etc/passwd of its own"); }`,
  ),
  {
    name: 'Judge0 CVE-2024-29021: inner services',
    tries: 'Asks the public routes for inner services, by path, host and redirection.',
    async attack(world, token) {
      const { host: broker } = new URL(process.env.AMQP_URL ?? 'amqp://localhost');
      for (const path of [
        '/workers',
        '/system_info',
        '/config_info',
        '/queues',
        '/metrics',
        '/debug',
        '/api/definitions',
        '/%2e%2e/%2e%2e/etc/passwd',
        '//etc/passwd',
        '/..;/',
        `/http://${broker}/`,
        '/.env',
        '/package.json',
        '/dist/main.js',
      ]) {
        const answer = await fetch(world.service.base + path, { redirect: 'manual' });
        world.recordAnswer(token, await answer.text());
        held(answer.status === 404, `${path} is answered with ${answer.status}`);
      }
    },
  },
  {
    name: 'Judge0 pull request 550: a line end in an argument',
    tries: 'Hides a second line of command behind a line end in each field that becomes one.',
    async attack(world, token) {
      const words = {
        basename: 'cli.txt',
        contents: `--option\n; touch /tmp/x-${token}\n$(touch /tmp/x-${token}) \`touch /tmp/x-${token}\` | touch /tmp/x-${token}`,
      };
      const files = [PLAIN, words];
      await world.run(token, {
        mode: 'run',
        files,
        switches: {
          Compiler: [`-g\n; touch /tmp/x-${token}`, `-gnata;touch /tmp/x-${token}`],
          [`x\n$(touch /tmp/x-${token})`]: ['-g'],
        },
      });
      for (const more of [
        { main: `main.c\n; touch /tmp/x-${token}` },
        { name: `x\n; touch /tmp/x-${token}` },
        { files: [PLAIN, { basename: `x;touch x-${token}\n`, contents: '' }] },
      ]) {
        const { status, body } = await post(world.service.base, '/run_program/', {
          mode: 'run',
          name: 'x',
          files,
          ...more,
        });
        world.recordAnswer(token, JSON.stringify(body));
        held(status === 400, `a line end was taken: ${JSON.stringify(more)}`);
      }
    },
  },
  {
    name: 'Judge0 1.13.0: limits in the request',
    tries: 'Sends limits of zero, less than nothing, a fraction and without end, so that there are none.',
    async attack(world, token) {
      const begin = performance.now();
      const identifiers: string[] = [];
      for (const value of [0, -1, 0.5, 1e308, '0', null, true]) {
        const limits = {
          time_limit: value,
          cpu_time_limit: value,
          wall_time_limit: value,
          memory_limit: value,
          max_processes_and_or_threads: value,
          RUN_LIMIT_MS: value,
          timeLimitMs: value,
          outputLimitBytes: value,
          enable_network: true,
          env: { RUN_LIMIT_MS: value },
        };
        const files = [{ basename: 'main.c', contents: 'int main(void) { for (;;); }\n' }];
        const { status, body } = await post(world.service.base, '/run_program/', {
          mode: 'run',
          name: 'x',
          files,
          ...limits,
        });
        held(status === 200 || status === 400, `an answer of ${status}`);
        if (status === 200) identifiers.push((body as { identifier: string }).identifier);
      }
      const ends = await Promise.all(identifiers.slice(0, 3).map((identifier) => world.collect(token, identifier)));
      held(
        ends.every(({ status }) => status === 124),
        'a program without a limit',
      );
      held(performance.now() - begin < 60_000, 'a limit that does not end a program');
    },
  },
  c(
    'go-judge 176: an output that is a link',
    'Leaves links under the names that the service would copy out after the run, the executable among them.',
    (world) =>
      `int main(void) { trying(); unlink("main"); if (symlink("${world.secretPath}", "main") == 0) through("the executable replaced"); symlink("/etc/shadow", "stdout"); symlink("/etc/shadow", "main.stdout"); symlink("/etc/passwd", "lab_io.txt"); }`,
    {
      request: { mode: 'submit' },
      files: [{ basename: 'lab_io.txt', contents: 'in1: a\nout1:root\nin2: b\nout2:x\n' }],
    },
  ),
  ada(
    'Compiler Explorer 6026: a link left by the build',
    'Has the compile step leave something under the name of the executable that is none: a unit whose object is the program.',
    () =>
      [
        { basename: 'main.adb', contents: adaMain('   null;') },
        { basename: 'main', contents: '/etc/passwd' },
        { basename: 'other.c', contents: '__asm__(".file \\"/etc/passwd\\"\\n.symver x,x@@y\\n");\n' },
      ].filter(({ basename }) => basename !== 'main'),
    { at: 'build' },
  ),
  c(
    'DMOJ 318: a command at compile time',
    'Starts a command while it is compiled, which outlives the compiler.',
    () => [
      {
        basename: 'main.c',
        contents: `#pragma GCC poison exec
#include "|sleep 5"
#include "$(sleep 5)"
__asm__(".include \\"|sleep 5\\"");
int main(void) { return 0; }`,
      },
    ],
    { at: 'refusal' },
  ),
  c(
    'Piston 206: clean-up beside what still runs',
    'Leaves threads that make and remove files, and ignores every signal, while its container is removed.',
    `#include <pthread.h>
     static void *work(void *x) { for (int i = 0;; i++) { char name[32]; snprintf(name, sizeof name, "f%d-%p", i % 50, x); close(open(name, O_CREAT | O_RDWR, 06777)); mkdir("d", 04777); unlink(name); } return x; }
     int main(void) { trying(); for (int s = 1; s < 65; s++) signal(s, SIG_IGN); pthread_t t; for (long i = 0; i < 20; i++) pthread_create(&t, NULL, work, (void *)i); pause(); }`,
    { look: ({ status }) => held(status === 124, 'a run without an end') },
  ),
  ...Object.entries(FAULTS).map(([fault, contents]): Attack => ({
    name: `Piston 624: nothing is cleaned up after ${fault}`,
    tries: `Ends a phase by ${fault}, so that the clean-up behind it is left out.`,
    async attack(world, token) {
      const { status } = await world.run(token, {
        mode: 'run',
        files: [{ basename: 'main.c', contents }],
        main: 'main.c',
      });
      made(status !== 0, 'the phase ended well');
    },
  })),
  {
    name: 'Piston 624: nothing is cleaned up after a client is gone',
    tries: 'Leaves before its program has begun, and never asks for its output.',
    async attack(world) {
      for (let i = 0; i < 2; i++)
        await submit(world.service.base, {
          mode: 'run',
          files: [{ basename: 'main.c', contents: 'int main(void) { for (;;); }\n' }],
        });
    },
  },
  {
    name: 'dify-sandbox 27: hostile text in every field',
    tries:
      'Puts text into every field that ends a string, a comment or a command in each language that it may pass through.',
    async attack(world, token) {
      const text = `"'\`);\${${token}}{{7*7}}%s%n<script>\\u0000\\x00../../--eval=require("child_process").execSync("touch /tmp/x-${token}")#`;
      const base = { mode: 'run', name: 'x', main: '', switches: {}, lab: false, files: [PLAIN] };
      for (const request of [
        { ...base, name: text },
        { ...base, main: text },
        { ...base, mode: text },
        { ...base, switches: { [text]: [text] } },
        { ...base, switches: { Compiler: [text] } },
        { ...base, files: [PLAIN, { basename: text, contents: text }] },
        { ...base, files: [PLAIN, { basename: 'cli.txt', contents: text }] },
        { ...base, files: [PLAIN, { basename: 'x.adb', contents: text }] },
        { ...base, lab: text },
      ]) {
        const { status, body } = await post(world.service.base, '/run_program/', request);
        held(status === 200 || status === 400, `an answer of ${status}`);
        if (status === 200) await world.collect(token, (body as { identifier: string }).identifier);
      }
    },
  },
  c(
    'isolate NEWS 2.6: /dev/shm shared by two jobs',
    'Leaves a secret in shared memory for a second program, in all places that have it.',
    `#include <sys/ipc.h>
     #include <sys/shm.h>
     int main(void) { trying(); const char *names[] = {"/dev/shm/left", "/dev/mqueue/left", "/tmp/left", "/var/tmp/left", "left", "/run/left"};
       for (int i = 0; i < 6; i++) { if (access(names[i], F_OK) == 0) through(names[i]); close(open(names[i], O_CREAT | O_WRONLY, 0666)); }
       int id = shmget(0x1234, 4096, 0666); if (id >= 0) through("shared memory of System V"); shmget(0x1234, 4096, IPC_CREAT | 0666); }`,
    { request: { mode: 'submit' }, files: [{ basename: 'lab_io.txt', contents: 'in1: a\nout1:x\nin2: b\nout2:x\n' }] },
  ),
  {
    name: 'rust-playground 1090: hung containers pile up',
    tries: 'Runs programs one after the other that never end, and waits for their containers to pile up.',
    async attack(world: World, token) {
      const files = [
        {
          basename: 'main.c',
          contents:
            '#include <signal.h>\n#include <unistd.h>\nint main(void) { for (int s = 1; s < 65; s++) signal(s, SIG_IGN); kill(getpid(), SIGSTOP); for (;;) pause(); }\n',
        },
      ];
      await Promise.all([1, 2, 3].map(() => world.run(token, { mode: 'run', files, main: 'main.c' })));
      // Containers of concurrent tasks exist too: four tasks at a time, each with one being removed, and the warm
      // ones of two workers.
      await sleep(1000);
      const there = await containersOf(world.service.namespace);
      held(there <= 14, `${there} containers`);
    },
  },
];
