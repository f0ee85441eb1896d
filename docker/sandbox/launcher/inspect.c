/*
 * Runs in place of the command and reports what a command could do: one line for each value, with a name, a space, and
 * a number or text. The worker checks the values (inspection.ts).
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *name, long long value)
{
    dprintf(STDOUT_FILENO, "%s %lld\n", name, value);
}

/* 0, or the errno of the refusal. */
static void tell_try(const char *name, long result)
{
    tell(name, result < 0 ? errno : 0);
}

static bool can_gain_capabilities(void)
{
    int has;
    for (unsigned long capability = 0; (has = prctl(PR_CAPBSET_READ, capability, 0, 0, 0)) >= 0; capability++)
        if (has > 0)
            return true;
    return false;
}

static void tell_who(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};
    uid_t real, effective, saved;
    if (getresuid(&real, &effective, &saved) != 0 || syscall(SYS_capget, &header, sets) != 0)
        die("inspect");
    tell("uid", real == effective && real == saved ? (long long)real : -1);
    tell("groups", getgroups(0, NULL));
    tell("capabilities", (sets[0].effective | sets[0].permitted | sets[0].inheritable | sets[1].effective |
                          sets[1].permitted | sets[1].inheritable) != 0);
    tell("bounding_set", can_gain_capabilities());
    tell("no_new_privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    tell("parent_pid", getppid());
}

static void tell_limit(const char *name, int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0)
        tell(name, limit.rlim_max == RLIM_INFINITY ? -1 : (long long)limit.rlim_max);
}

static void tell_file_systems(void)
{
    struct statvfs root, workspace;
    struct stat root_itself, workspace_itself;
    if (statvfs("/", &root) != 0 || statvfs("/workspace", &workspace) != 0)
        die("statvfs");
    if (stat("/", &root_itself) != 0 || stat("/workspace", &workspace_itself) != 0)
        die("stat");
    tell("root_read_only", (root.f_flag & ST_RDONLY) != 0);
    tell("workspace_bytes", (long long)(workspace.f_blocks * workspace.f_frsize));
    tell("workspace_inodes", (long long)workspace.f_files);
    tell("workspace_own", root_itself.st_dev != workspace_itself.st_dev);
}

/* Counts other writable mounts, without devices: the engine hides some files by mounting a device over them. */
static void tell_other_mounts(void)
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    if (mounts == NULL)
        die("mounts");
    int writable = 0;
    for (struct mntent *mount; (mount = getmntent(mounts)) != NULL;) {
        const char *at = mount->mnt_dir;
        struct stat itself;
        bool is_known =
            strncmp(at, "/workspace", strlen("/workspace")) == 0 || strncmp(at, "/dev", strlen("/dev")) == 0;
        writable += !is_known && hasmntopt(mount, "rw") && access(at, W_OK) == 0 && stat(at, &itself) == 0 &&
                    !S_ISCHR(itself.st_mode);
    }
    endmntent(mounts);
    tell("other_writable_mounts", writable);
}

/* Reads the file of cgroup v2, or else of v1. Reports nothing if there is no such file. */
static void tell_cgroup(const char *name, const char *second_version, const char *first_version)
{
    char text[64];
    int file = open(second_version, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        file = open(first_version, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    dprintf(STDOUT_FILENO, "%s %s\n", name, text);
}

static void tell_interfaces(void)
{
    DIR *folder = opendir("/sys/class/net");
    int others = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        others += entry->d_name[0] != '.' && strcmp(entry->d_name, "lo") != 0;
    tell("interfaces", others);
}

static void tell_tries(void)
{
    char *none[] = {NULL};
    tell_try("write_root", open("/inspection", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    tell_try("engine_socket", access("/var/run/docker.sock", F_OK));
    tell_try("socket_internet", socket(AF_INET, SOCK_STREAM, 0));
    tell_try("socket_netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    tell_try("socket_vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    tell_try("unshare", unshare(CLONE_NEWUSER));
    tell_try("mount", mount("none", "/workspace", "tmpfs", 0, NULL));
    tell_try("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    tell_try("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
    tell_try("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    tell_try("bpf", syscall(SYS_bpf, 0, NULL, 0));
    tell_try("perf", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    tell_try("userfaultfd", syscall(SYS_userfaultfd, 0));
    /* The first exec of a process is permitted. A program's own exec would be the second. */
    syscall(SYS_execve, "/nothing", none, none);
    tell_try("exec", syscall(SYS_execve, "/nothing", none, none));
    long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
    if (child == 0)
        _exit(0);
    tell_try("fork", child);
}

_Noreturn void inspect(void)
{
    tell_who();
    tell_limit("open_files", RLIMIT_NOFILE);
    tell_limit("core_bytes", RLIMIT_CORE);
    tell_limit("own_processes", RLIMIT_NPROC);
    tell_file_systems();
    tell_other_mounts();
    tell_cgroup("memory", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    tell_cgroup("swap_v2", "/sys/fs/cgroup/memory.swap.max", "");
    tell_cgroup("memory_and_swap", "", "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
    tell_cgroup("processes", "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max");
    tell_cgroup("cpu", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    tell_interfaces();
    tell_tries();
    _exit(0);
}
