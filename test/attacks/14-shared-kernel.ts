/** Resources that containers share in one kernel: per-user quotas, lists, and memory charged to no container. */
import { text } from '../helpers/client.js';
import { held, type Attack } from './lib/attack.js';
import { c } from './lib/programs.js';

const LOCK = 'struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 1};';
/** A call that no program needs, on a file of its own and on an eventfd, whose inode all programs share. */
const onFiles = (name: string, tries: string, call: string): Attack =>
  c(
    name,
    tries,
    `#include <sys/eventfd.h>
     #include <sys/file.h>
     int main(void) { trying(); int own = open("own", O_RDWR | O_CREAT, 0600), shared = eventfd(0, 0), files[] = {own, shared};
       for (int i = 0; i < 2; i++) { int f = files[i]; ${LOCK} (void)l; if (f >= 0 && ${call} >= 0) through(i ? "on the shared inode" : "on a file"); } }`,
  );
/** A thread that does not share the usual resources, created by the C library's clone, which the guard hides. */
const thread = (name: string, tries: string, flags: string): Attack =>
  c(
    name,
    tries,
    `#include <dlfcn.h>
     #include <sched.h>
     static char stack[65536];
     static int wait_for_ever(void *x) { for (;;) pause(); return 0; }
     int main(void) { trying(); int (*own)(int (*)(void *), void *, int, void *) = dlsym(dlopen("libc.so.6", RTLD_NOW), "clone");
       if (own(wait_for_ever, stack + sizeof stack, ${flags}, 0) > 0) through("a thread of its own"); }`,
  );

export const attacks: Attack[] = [
  onFiles('record locks', 'Sets record locks, whose memory no container is charged for.', 'fcntl(f, F_SETLK, &l)'),
  onFiles('blocking record locks', 'Sets record locks by the call that waits.', 'fcntl(f, F_SETLKW, &l)'),
  onFiles('locks of open files', 'Sets locks that belong to an open file.', 'fcntl(f, F_OFD_SETLK, (l.l_pid = 0, &l))'),
  onFiles(
    'blocking locks of open files',
    'Sets locks that belong to an open file by the call that waits.',
    'fcntl(f, F_OFD_SETLKW, (l.l_pid = 0, &l))',
  ),
  onFiles('flock', 'Locks whole files, as a signal between containers too.', 'flock(f, LOCK_EX | LOCK_NB)'),
  onFiles('leases', 'Takes leases on files.', 'fcntl(f, F_SETLEASE, F_WRLCK)'),
  c(
    'notifications of a folder',
    'Has the kernel tell it of changes in a folder, by the old call.',
    'int main(void) { trying(); if (fcntl(open(".", O_RDONLY), F_NOTIFY, 0x8000001f) == 0) through("notes"); }',
  ),
  c(
    'large pipes',
    "Takes all the pages for pipes that the kernel gives one user, so that other programs' pipes are small.",
    'int main(void) { trying(); int p[2], n = 0; while (n < 400 && pipe(p) == 0) { if (fcntl(p[1], F_SETPIPE_SZ, 1 << 20) > 65536) through("a large pipe"); n++; } }',
  ),
  thread(
    'a thread with its own files',
    'Starts threads that do not share their open files, each with as many as a whole program may have.',
    'CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS',
  ),
  thread(
    'a thread with its own folder',
    'Starts threads that do not share their working folder.',
    'CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES',
  ),
  c(
    'a file table for each thread',
    'Copies its table of open files by close_range, so that each thread has a table of its own.',
    'int main(void) { trying(); if (syscall(SYS_close_range, 1000, 1001, 2) == 0) through("a table of its own"); }',
  ),
  c(
    'a filter by prctl',
    'Sets a seccomp filter of its own by the older call.',
    `#include <linux/filter.h>
     #include <linux/seccomp.h>
     int main(void) { trying(); struct sock_filter f[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}; struct sock_fprog p = {1, f}; if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0) through("a filter"); if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0) through("the strict mode"); }`,
  ),
  c(
    'notifications in a pipe',
    'Makes pipes for notices of the kernel, whose memory no container is charged for.',
    'int main(void) { trying(); int p[2]; if (syscall(SYS_pipe2, p, O_EXCL) == 0 || errno != EPERM) through("a pipe for notices, where the kernel has them"); }',
  ),
  c(
    'huge pages',
    'Maps huge pages, which are reserved for the whole machine.',
    'int main(void) { trying(); if (mmap(0, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) != MAP_FAILED || errno != EPERM) through("huge pages, where the machine has them"); }',
  ),
  c(
    'terminals',
    'Takes pseudo terminals, of which a machine has a fixed number.',
    'int main(void) { trying(); const char *names[] = {"/dev/ptmx", "/dev/pts/ptmx"}; for (int i = 0; i < 2; i++) if (open(names[i], O_RDWR | O_NOCTTY) >= 0 || open(names[i], O_RDONLY | O_NOCTTY) >= 0) through(names[i]); }',
  ),
  {
    name: 'a shared user id',
    tries: "Is the same user as another container's program, and so uses up its quotas.",
    async attack(world, token) {
      const files = [
        {
          basename: 'main.c',
          contents: `#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("%d\\n", getuid()); return 0; } // ${token}\n`,
        },
      ];
      const ids = [];
      for (let i = 0; i < 5; i++)
        ids.push(text(await world.run(token, { mode: 'run', files }), 'stdout').split('successfully.')[1]);
      held(new Set(ids).size > 1 && ids.every((id) => Number(id) >= 1000), `the same user each time: ${ids.join()}`);
    },
  },
  c(
    'reading its own output',
    'Opens its own stdout for reading and takes what the launcher has put there, so that the launcher fails.',
    `int main(void) { trying(); char byte[4096]; int out = open("/dev/stdout", O_RDWR | O_NONBLOCK), err = open("/dev/stderr", O_RDWR | O_NONBLOCK); alarm(2); for (int i = 0; i < 30000; i++) { dprintf(i & 64 ? 2 : 1, "%d\\n", i); read(err, byte, 1); read(out, byte, i & 1 ? 1 : 4096); } }`,
    { look: ({ message }) => held(message === 'SUCCESS', `the task ended with ${message}`) },
  ),
  c(
    'a pipe that is never empty',
    "Makes its own stdout larger and keeps it full, so that the launcher's turn never ends.",
    `#include <sys/ioctl.h>
     int main(void) { trying(); fcntl(1, F_SETPIPE_SZ, 1 << 20); fcntl(1, F_SETFL, O_NONBLOCK); int out = open("/dev/stdout", O_WRONLY | O_NONBLOCK); for (;;) { write(1, "a\\n", 2); write(out, "b\\n", 2); } }`,
    {
      look: ({ status, ms }) =>
        held((status === 153 || status === 124) && ms < 15_000, `it ended with ${status} after ${Math.round(ms)} ms`),
    },
  ),
  c(
    'last choice of the OOM killer',
    "Makes itself an unlikely choice when memory runs out, so that the kernel kills the launcher, and the end is nobody's.",
    `int main(void) { trying(); int f = open("/proc/self/oom_score_adj", O_RDWR); write(f, "0", 1); int file = open("full", O_RDWR | O_CREAT, 0600); static char zeros[1 << 20]; for (int i = 0; i < 30; i++) write(file, zeros, sizeof zeros); for (;;) memset(malloc(1 << 20), 1, 1 << 20); }`,
    {
      look: ({ status, stderr, message }) =>
        held(
          message === 'SUCCESS' && status === 137 && /memory limit/.test(stderr),
          `it ended with ${status}, ${message}: ${stderr.slice(0, 200)}`,
        ),
    },
  ),
];
