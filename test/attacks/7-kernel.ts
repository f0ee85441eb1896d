/** Other kernel features that a program could misuse: namespaces, other processes, rare calls. */
import { c } from './lib/programs.js';
import type { Attack } from './lib/attack.js';

export const attacks: Attack[] = [
  c(
    'unshare',
    'Takes namespaces of its own, in which it would be root.',
    `#include <sched.h>
     int main(void) { trying(); int flags[] = {0x10000000, 0x20000, 0x40000000, 0x8000000, 0x4000000, 0x20000000, 0x2000000, 0x80, 0x10020000, 0x50000000, 0x7e020000};
       for (int i = 0; i < 11; i++) if (syscall(SYS_unshare, flags[i]) == 0) { through("a namespace"); usleep(100000); } if (getuid() == 0) through("root"); }`,
  ),
  c(
    'setns',
    "Enters the launcher's and the host's namespaces.",
    `int main(void) { trying(); const char *names[] = {"user", "mnt", "net", "pid", "ipc", "uts", "cgroup", "time"}; for (int i = 0; i < 8; i++) { char path[64]; snprintf(path, sizeof path, "/proc/1/ns/%s", names[i]); int f = open(path, O_RDONLY); if (f >= 0 && syscall(SYS_setns, f, 0) == 0) through(path);
#ifndef GVISOR /* where these are names of its own kernel's, which anybody may open */
         if (f >= 0) through(path);
#endif
         snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]); f = open(path, O_RDONLY); if (syscall(SYS_setns, f, 0) == 0) through(path); } syscall(SYS_setns, syscall(SYS_pidfd_open, 1, 0), 0x20000); }`,
  ),
  c(
    'clone into namespaces',
    'Starts a process or a thread in namespaces of its own.',
    `int main(void) { trying(); long flags[] = {0x10000000, 0x20000, 0x40000000, 0x8000000, 0x4000000, 0x20000000, 0x2000000}; for (int i = 0; i < 7; i++) { forked(syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0)); long a[11] = {flags[i], [4] = SIGCHLD}; forked(syscall(SYS_clone3, a, sizeof a)); } }`,
  ),
  c(
    'the launcher traced',
    'Traces, reads and writes the launcher, which runs with another user.',
    `#include <sys/ptrace.h>
     #include <sys/uio.h>
     int main(void) { trying(); char bytes[8]; struct iovec here = {bytes, 8}, there = {(void *)0x400000, 8};
       for (int pid = 1; pid < 4; pid++) { if (pid == getpid()) continue; if (syscall(SYS_ptrace, 16, pid, 0, 0) == 0 || syscall(SYS_ptrace, 0x4206, pid, 0, 0) == 0) through("traced"); if (syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0) > 0) through("read"); if (syscall(SYS_process_vm_writev, pid, &here, 1, &there, 1, 0) > 0) through("written");
         char path[64]; snprintf(path, sizeof path, "/proc/%d/mem", pid); if (open(path, O_RDWR) >= 0) through(path); if (syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), 1, 0) >= 0) through("a descriptor"); if (syscall(SYS_kcmp, pid, getpid(), 0, 0, 0) >= 0) through("compared"); } }`,
  ),
  c(
    'the launcher killed',
    'Sends every signal to the launcher and to all that there is.',
    `int main(void) { trying(); for (int s = 1; s < 65; s++) if (s != SIGKILL && s != SIGSTOP) signal(s, SIG_IGN);
       /* SIGCONT may go to whoever has the same session, and does nothing to who is not stopped. */
       for (int s = 1; s < 65; s++) { if (s != SIGCONT && kill(1, s) == 0) through(strsignal(s)); if (s != SIGKILL && s != SIGSTOP) kill(-1, s); syscall(SYS_tgkill, 1, 1, s); } }`,
  ),
  c(
    'keyrings',
    "Takes keys, which are the user's and so shared with every container of that user.",
    `int main(void) { trying(); if (syscall(SYS_add_key, "user", TOKEN, "x", 1, -4) >= 0) through("a key"); if (syscall(SYS_keyctl, 0, -4, 1) >= 0) through("a keyring"); if (syscall(SYS_request_key, "user", TOKEN, NULL, -4) >= 0) through("a key found"); }`,
  ),
  c(
    'bpf, perf and userfaultfd',
    'Loads programs into the kernel, counts its events, stops its page faults.',
    `int main(void) { trying(); char a[128] = {0}; a[4] = 112; if (syscall(SYS_bpf, 0, a, 72) >= 0 || syscall(SYS_bpf, 5, a, 72) >= 0) through("bpf"); if (syscall(SYS_perf_event_open, a, 0, -1, -1, 0) >= 0) through("perf"); if (syscall(SYS_userfaultfd, 0) >= 0 || syscall(SYS_userfaultfd, 1) >= 0) through("userfaultfd"); if (open("/dev/userfaultfd", O_RDWR) >= 0) through("/dev/userfaultfd"); }`,
  ),
  c(
    'io_uring',
    'Sets up a ring, through which calls pass no filter.',
    'int main(void) { trying(); char p[120] = {0}; if (syscall(425, 8, p) >= 0) through("io_uring_setup"); if (syscall(426, 0, 1, 0, 0, 0, 0) >= 0 || syscall(427, 0, 0, 0, 0) >= 0) through("io_uring_enter"); }',
  ),
  c(
    'modules, kexec and the machine',
    'Loads a module or another kernel, stops the machine, sets its clock and name.',
    `#include <sys/time.h>
     int main(void) { trying(); if (syscall(SYS_init_module, "", 0, "") == 0 || syscall(SYS_finit_module, 0, "", 0) == 0 || syscall(SYS_delete_module, "x", 0) == 0) through("a module"); if (syscall(SYS_kexec_load, 0, 0, 0, 0) == 0) through("kexec");
       struct timeval t = {1, 0}; if (settimeofday(&t, NULL) == 0 || syscall(SYS_adjtimex, "") >= 0) through("the clock"); if (sethostname("x", 1) == 0) through("the name"); if (syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0) == 0) through("the machine"); if (syscall(SYS_swapon, "a", 0) == 0 || syscall(SYS_quotactl, 0, 0, 0, 0) == 0 || syscall(SYS_syslog, 3, (char[64]){0}, 64) > 0 || syscall(SYS_acct, "a") == 0) through("the rest"); }`,
  ),
  c(
    'memory of System V and queues',
    'Takes shared memory, semaphores and queues, which outlive a program.',
    `#include <sys/ipc.h>
     int main(void) { trying(); if (syscall(SYS_shmget, 1, 4096, 01666) >= 0) through("shared memory"); if (syscall(SYS_semget, 1, 1, 01666) >= 0) through("a semaphore"); if (syscall(SYS_msgget, 1, 01666) >= 0) through("a queue"); if (syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, 0) >= 0) through("a queue of POSIX");
       if (syscall(SYS_memfd_create, "x", 0) >= 0 || syscall(SYS_memfd_secret, 0) >= 0) through("a file of memory"); if (shm_open("/x", O_CREAT | O_RDWR, 0600) >= 0) through("shared memory of POSIX"); }`,
  ),
  c(
    'another user',
    'Becomes root, or any other user or group, by each call.',
    `#include <grp.h>
     #include <sys/fsuid.h>
     int main(void) { trying(); if (setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0 || setreuid(0, 0) == 0 || setuid(10001) == 0) through("a user"); if (setgid(0) == 0 || setresgid(0, 0, 0) == 0) through("a group"); gid_t g = 0; if (setgroups(1, &g) == 0) through("groups"); setfsuid(0); if (setfsuid(-1) == 0) through("root for files"); }`,
  ),
  c(
    'capabilities',
    'Takes stock of what holds it: capabilities, the bounding set, privileges by exec, filters.',
    `int main(void) { trying(); FILE *f = fopen("/proc/self/status", "r"); char line[256]; unsigned long value; while (fgets(line, sizeof line, f)) {
         if ((sscanf(line, "CapEff: %lx", &value) == 1 || sscanf(line, "CapPrm: %lx", &value) == 1 || sscanf(line, "CapInh: %lx", &value) == 1 || sscanf(line, "CapAmb: %lx", &value) == 1) && value != 0) through(line);
         if (sscanf(line, "CapBnd: %lx", &value) == 1 && value != 0) through(line);
         if (sscanf(line, "NoNewPrivs: %lu", &value) == 1 && value != 1) through(line); if (sscanf(line, "Seccomp: %lu", &value) == 1 && value != 2) through(line);
         if (sscanf(line, "Seccomp_filters: %lu", &value) == 1 && value < 3) through(line); if (sscanf(line, "Groups: %lu", &value) == 1) through(line); }
       for (int cap = 0; cap < 41; cap++) if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) == 0) through("an ambient capability"); unsigned header[2] = {0x20080522, 0}, data[6] = {~0U, ~0U, ~0U, ~0U, ~0U, ~0U}; if (syscall(SYS_capset, header, data) == 0) through("capset"); }`,
  ),
  c(
    'personality and terminals',
    'Changes how the kernel treats it, and puts words into a terminal of others.',
    `#include <sys/ioctl.h>
     int main(void) { trying(); if (syscall(SYS_personality, 0x0008000) >= 0 || syscall(SYS_personality, 0x0400000) >= 0) through("personality"); char x = 'x'; for (int fd = 0; fd < 3; fd++) if (ioctl(fd, 0x5412, &x) == 0) through("a character into a terminal"); if (open("/dev/tty", O_RDWR) >= 0 || open("/dev/console", O_RDWR) >= 0 || open("/dev/ptmx", O_RDWR) >= 0) say("note", "a terminal"); }`,
  ),
];
