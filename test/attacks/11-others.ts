/** Other users' tasks, and remains of one run in the next. */
import { randomUUID } from 'node:crypto';

import { poll, post, submit, text } from '../helpers/client.js';
import { held, made, type Attack } from './lib/attack.js';
import { c, itemsOf, type Seen } from './lib/programs.js';

const LAB = { basename: 'lab_io.txt', contents: 'in1: a\nout1:x\nin2: b\nout2:x\nin3: c\nout3:x\n' };
/** A program that runs three times and looks for remains of the previous run. */
const leaving = (name: string, tries: string, source: string): Attack =>
  c(name, tries, source, {
    request: { mode: 'submit' },
    files: [LAB],
    look: ({ output }: Seen) =>
      made(
        ['1', '2', '3'].every((ref) => JSON.stringify(itemsOf(output, ref)).includes('trying')),
        'not every case was run',
      ),
  });

export const attacks: Attack[] = [
  {
    name: 'guessed identifiers',
    tries: 'Polls identifiers near its own, the least and the greatest, and any others.',
    async attack({ service: { base } }) {
      const own = await submit(base, {
        mode: 'compile',
        files: [{ basename: 'main.c', contents: 'int main(void) { return 0; }\n' }],
      });
      const near = Array.from({ length: 16 }, (_, i) => own.slice(0, -1) + i.toString(16)).filter((id) => id !== own);
      const ids = [
        ...near,
        '00000000-0000-0000-0000-000000000000',
        'ffffffff-ffff-ffff-ffff-ffffffffffff',
        ...Array.from({ length: 20 }, () => randomUUID()),
      ];
      for (const identifier of ids)
        held((await post(base, '/check_output/', { identifier, read: 0 })).status === 404, `${identifier} is known`);
      const more = await Promise.all(
        Array.from({ length: 4 }, () =>
          submit(base, {
            mode: 'compile',
            files: [{ basename: 'main.c', contents: 'int main(void) { return 0; }\n' }],
          }),
        ),
      );
      // 122 random bits: similarities are only chance.
      const alike = more.map(
        (id) => [...id.replaceAll('-', '')].filter((digit, i) => digit === own.replaceAll('-', '')[i]).length,
      );
      held(
        Math.max(...alike) < 20 &&
          [own, ...more].every((id) =>
            /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id),
          ),
        'identifiers that can be guessed',
      );
    },
  },
  {
    name: 'queues by name',
    tries: "Polls names of other queues, so that it reads or takes away tasks and others' answers.",
    async attack({ service: { base, namespace } }, token) {
      const before = await submit(base, {
        mode: 'compile',
        files: [{ basename: 'main.c', contents: 'int main(void) { return 0; }\n' }],
      });
      for (const identifier of [
        'tasks',
        'dead',
        `${namespace}.tasks`,
        `${namespace}.dead`,
        '../tasks',
        `reply.${before}`,
        `${before}\0`,
        `${before} `,
        ` ${before}`,
        `{${before}}`,
        `urn:uuid:${before}`,
        before.toUpperCase().replace(/-/g, ''),
        '#',
        '*',
        '',
        'amq.rabbitmq.reply-to',
        `${before}.${token}`,
        'x'.repeat(300),
      ]) {
        const { status, body } = await post(base, '/check_output/', { identifier, read: 0 });
        held(
          status === 404 || status === 400,
          `"${identifier}" is answered with ${status}: ${JSON.stringify(body).slice(0, 200)}`,
        );
      }
    },
  },
  {
    name: 'two concurrent pollers',
    tries:
      "Polls with another's identifier only half of it, or with a count that is not its own, so that the other misses output.",
    async attack({ service: { base }, canary }, token) {
      const files = [
        { basename: 'main.c', contents: `#include <stdio.h>\nint main(void) {\n puts("${token} whole"); }\n` },
      ];
      const identifier = await submit(base, { mode: 'run', files });
      await Promise.all(
        Array.from({ length: 8 }, () => post(base, '/check_output/', { identifier: randomUUID(), read: 1_000_000 })),
      );
      for (;;) {
        const answer = await poll(base, identifier, 0);
        if (!answer.completed) continue;
        held(text(answer, 'stdout').includes(`${token} whole`), 'output that was taken away');
        break;
      }
      held(canary.faults.length === 0, canary.faults.join());
    },
  },
  {
    name: 'a list of tasks',
    tries: 'Looks in every answer for identifiers other than its own: errors, headers, 404s.',
    async attack({ service: { base } }, token) {
      const own = await submit(base, {
        mode: 'compile',
        files: [{ basename: 'main.c', contents: `int main(void) { return 0; } // ${token}\n` }],
      });
      for (const [path, body] of [
        ['/check_output/', { identifier: '*' }],
        ['/check_output/', {}],
        ['/run_program/', {}],
        ['/check_output/', { identifier: own, read: 1e9 }],
        ['/tasks/', {}],
      ] as const) {
        const answer = await post(base, path, body);
        const ids = [
          ...JSON.stringify([answer.body, [...answer.headers]]).matchAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g),
        ].map(([id]) => id);
        held(
          ids.every((id) => id === own),
          `an identifier of another task from ${path}`,
        );
      }
    },
  },
  leaving(
    'files of the previous case',
    'Leaves files, folders, links and bits in all places for its next lab case.',
    `int main(void) { trying(); const char *names[] = {"left", "/tmp/left", "/workspace/left", "/dev/shm/left", "/var/tmp/left", "/dev/mqueue/left", "/run/left"}; for (int i = 0; i < 7; i++) { struct stat s; if (lstat(names[i], &s) == 0) through(names[i]); close(open(names[i], O_CREAT | O_RDWR, 0666)); }
       if (chdir("folder") == 0) through("a folder"); mkdir("folder", 0777); symlink("/", "link2"); }`,
  ),
  leaving(
    'memory of the previous case',
    'Leaves shared memory, semaphores and queues for its next lab case.',
    `#include <semaphore.h>
     #include <mqueue.h>
     #include <sys/ipc.h>
     int main(void) { trying(); if (shm_open("/left", O_RDWR, 0600) >= 0 || syscall(SYS_shmget, 77, 4096, 0666) >= 0) through("shared memory"); shm_open("/left", O_CREAT | O_RDWR, 0600); syscall(SYS_shmget, 77, 4096, 01666); syscall(SYS_semget, 77, 1, 01666);
       if (sem_open("/left", 0) != SEM_FAILED) through("a semaphore"); sem_open("/left", O_CREAT, 0600, 1); if (syscall(SYS_mq_open, "left", O_RDWR) >= 0) through("a queue"); syscall(SYS_mq_open, "left", O_CREAT | O_RDWR, 0600, 0); }`,
  ),
  leaving(
    'processes of the previous case',
    'Leaves processes and timers for its next lab case, and looks for them and their signals.',
    `#include <dirent.h>
     int main(void) { trying(); DIR *proc = opendir("/proc"); struct dirent *e; int n = 0; while ((e = readdir(proc))) if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && atoi(e->d_name) != getpid() && atoi(e->d_name) != 1) n++; if (n > 0) through("another process");
       forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); struct sigevent s = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1}; timer_t t; timer_create(CLOCK_REALTIME, &s, &t); struct itimerspec often = {{0, 1000000}, {100, 0}}; timer_settime(t, 0, &often, NULL);
       sigset_t pending; sigpending(&pending); for (int i = 1; i < 65; i++) if (sigismember(&pending, i) == 1) through("a signal"); char text[4096] = ""; int f = open("/proc/self/timers", O_RDONLY); (void)f; (void)text; }`,
  ),
  leaving(
    'locks and keys of the previous case',
    'Leaves locks on what was sent, names of sockets and keys for its next lab case.',
    `#include <sys/file.h>
     int main(void) { trying(); int f = open("main.c", O_RDONLY); if (f < 0 || (flock(f, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)) through("a lock"); if (syscall(SYS_request_key, "user", "left", NULL, -4) >= 0) through("a key"); syscall(SYS_add_key, "user", "left", "x", 1, -4); }`,
  ),
  c(
    'information about other programs',
    "Looks for other people's programs: names, numbers and times that reach beyond its own container.",
    `#include <dirent.h>
     int main(void) { trying(); DIR *proc = opendir("/proc"); struct dirent *e; while ((e = readdir(proc))) if (atoi(e->d_name) > 1 && atoi(e->d_name) != getpid()) through("another process"); char line[512]; FILE *f = fopen("/proc/mounts", "r"); while (f && fgets(line, sizeof line, f)) if (strstr(line, "docker.sock") || strstr(line, "/var/lib/docker/containers")) through(line);
       extern char **environ; for (char **v = environ; *v; v++) if (strncmp(*v, "PATH=", 5) && strncmp(*v, "HOME=", 5) && strncmp(*v, "TMPDIR=", 7) && strncmp(*v, "LANG=", 5) && strncmp(*v, "LD_PRELOAD=", 11)) through(*v); }`,
  ),
];
