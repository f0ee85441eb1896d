/*
 * Seccomp filters, in the kernel, so that a program cannot get around them: it starts no process, and
 * uses nothing of the kernel that all containers share and that no container is charged for. guard.so
 * only gives some refusals their words.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "unknown architecture"
#endif

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSAL(error) (SECCOMP_RET_ERRNO | (error))
/* With the call's number loaded. */
#define ON(call, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), ANSWER(action)
#define REFUSE(call) ON(call, REFUSAL(EPERM))
/* Calls by the numbers of another architecture would go past all that follows. */
#define NATIVE_CALLS_ONLY                                                                                              \
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0), ANSWER(REFUSAL(EPERM)), LOAD(nr),                   \
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000 /* x32 */, 0, 1), ANSWER(REFUSAL(EPERM))

static int try_install(struct sock_filter *instructions, size_t length, unsigned flags)
{
    struct sock_fprog program = {.len = (unsigned short)length, .filter = instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        die("PR_SET_NO_NEW_PRIVS");
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void install(struct sock_filter *instructions, size_t length)
{
    if (try_install(instructions, length, 0) < 0)
        die("seccomp");
}

static int on_exec(unsigned action, unsigned flags)
{
    struct sock_filter filter[] = {
        NATIVE_CALLS_ONLY,
        ON(SYS_execve, action),
        ON(SYS_execveat, action),
        ANSWER(SECCOMP_RET_ALLOW),
    };
    return try_install(filter, LENGTH(filter), flags);
}

/*
 * From now on an exec waits for leave at the returned descriptor. The launcher takes the filter
 * upon itself, since its child inherits it and the descriptor then need not be handed over.
 * Why not a rule on execve's arguments: a rule sees pointers, and any pointer that the launcher
 * uses, the program can use again with another path behind it. Needs Linux 5.5.
 *
 * -1 where the kernel cannot ask: gVisor's. There an exec is left to a tracer, and refused to whoever
 * has none; the launcher traces its child up to that first exec (trace.c).
 */
int lock_exec(void)
{
    int door = on_exec(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (door >= 0)
        return door;
    if (errno != EINVAL || on_exec(SECCOMP_RET_TRACE, 0) < 0)
        die("seccomp");
    return -1;
}

/* Leave for the first exec, which is the launcher's own; closing the door refuses all others. */
void answer_exec(int door)
{
    struct seccomp_notif asked = {0};
    if (ioctl(door, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
        die("exec asked for");
    struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (ioctl(door, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0)
        die("exec allowed");
    close(door);
}

enum { FILTER_LENGTH = 128 };

struct filter {
    struct sock_filter instructions[FILTER_LENGTH];
    size_t length;
};

static void append(struct filter *filter, const struct sock_filter *instructions, size_t length)
{
    if (length > FILTER_LENGTH - filter->length)
        die("length of a filter");
    for (size_t i = 0; i < length; i++)
        filter->instructions[filter->length++] = instructions[i];
}

/* Instructions for one call alone, whose arguments they may load. They have to end with an answer. */
static void append_for(struct filter *filter, unsigned call, const struct sock_filter *instructions, size_t length)
{
    const struct sock_filter otherwise_skip = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, (unsigned char)length);
    append(filter, &otherwise_skip, 1);
    append(filter, instructions, length);
}

#define APPEND(filter, ...)                                                                                            \
    append(filter, (const struct sock_filter[]){__VA_ARGS__}, LENGTH(((const struct sock_filter[]){__VA_ARGS__})))
#define APPEND_FOR(filter, call, ...)                                                                                  \
    append_for(filter, call, (const struct sock_filter[]){__VA_ARGS__},                                                \
               LENGTH(((const struct sock_filter[]){__VA_ARGS__})))
/* Of an int argument the kernel looks at the lower half, which is what is loaded. */
#define IF_SET(bits, action) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), ANSWER(action)

#ifndef O_NOTIFICATION_PIPE
#define O_NOTIFICATION_PIPE O_EXCL
#endif

/*
 * For every command. clone3 has its flags behind a pointer, where no filter sees a wish for a
 * namespace; the C library takes ENOSYS as a wish for clone. The container's profile could say so
 * as well, but gVisor answers EPERM for all that a profile refuses, and then no thread starts.
 */
void confine_command(void)
{
    struct filter filter = {.length = 0};
    APPEND(&filter, NATIVE_CALLS_ONLY);
    APPEND(&filter, ON(SYS_clone3, REFUSAL(ENOSYS)));
    APPEND(&filter, REFUSE(SYS_ptrace)); /* under gVisor the profile has it for the launcher's sake (trace.c) */
    /* Huge pages come from a pool of the whole machine. Memory of notification pipes is not charged to the
       container. */
    APPEND_FOR(&filter, SYS_mmap, LOAD(args[3]), IF_SET(MAP_HUGETLB, REFUSAL(EPERM)), ANSWER(SECCOMP_RET_ALLOW));
    APPEND_FOR(&filter, SYS_memfd_create, LOAD(args[1]), IF_SET(MFD_HUGETLB, REFUSAL(EPERM)),
               ANSWER(SECCOMP_RET_ALLOW));
    APPEND_FOR(&filter, SYS_pipe2, LOAD(args[1]), IF_SET(O_NOTIFICATION_PIPE, REFUSAL(EPERM)),
               ANSWER(SECCOMP_RET_ALLOW));
    APPEND(&filter, ANSWER(SECCOMP_RET_ALLOW));
    install(filter.instructions, filter.length);
}

/* A thread shares all of this with its program. One that does not gets limits of its own. */
enum { SHARED_BY_THREADS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD };

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif

/* What the container's profile allows for compilers and provers, and no program needs. */
void confine_program(void)
{
    struct filter filter = {.length = 0};
    APPEND(&filter, NATIVE_CALLS_ONLY);
#if defined __x86_64__
    APPEND(&filter, REFUSE(SYS_fork), REFUSE(SYS_vfork));
#endif
    APPEND(&filter, REFUSE(SYS_socket), REFUSE(SYS_socketpair), REFUSE(SYS_seccomp), REFUSE(SYS_memfd_create));
    APPEND_FOR(&filter, SYS_prctl, LOAD(args[0]), REFUSE(PR_SET_SECCOMP), ANSWER(SECCOMP_RET_ALLOW));
    APPEND_FOR(&filter, SYS_clone, LOAD(args[0]), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SHARED_BY_THREADS),
               ON(SHARED_BY_THREADS, SECCOMP_RET_ALLOW), ANSWER(REFUSAL(EPERM)));
    APPEND_FOR(&filter, SYS_close_range, LOAD(args[2]), IF_SET(CLOSE_RANGE_UNSHARE, REFUSAL(EINVAL)),
               ANSWER(SECCOMP_RET_ALLOW));
    /* Locks are kernel memory that is not charged to the container. Those on an eventfd, a timerfd or
       an epoll are in one list for the whole machine. The answer is that of a file system without locks. */
    APPEND(&filter, ON(SYS_flock, REFUSAL(ENOLCK)));
    APPEND_FOR(&filter, SYS_fcntl, LOAD(args[1]), ON(F_SETLK, REFUSAL(ENOLCK)), ON(F_SETLKW, REFUSAL(ENOLCK)),
               ON(F_OFD_SETLK, REFUSAL(ENOLCK)), ON(F_OFD_SETLKW, REFUSAL(ENOLCK)), REFUSE(F_SETLEASE),
               REFUSE(F_NOTIFY), REFUSE(F_SETPIPE_SZ), ANSWER(SECCOMP_RET_ALLOW));
    APPEND(&filter, ANSWER(SECCOMP_RET_ALLOW));
    install(filter.instructions, filter.length);
}

/* Pseudo terminals are counted for the whole machine. ENOENT: a runtime without any. */
void hide_terminals(void)
{
    if (chmod("/dev/pts/ptmx", 0) != 0 && errno != ENOENT)
        die("/dev/pts/ptmx");
}

/*
 * gVisor's sticky folders keep others' files from being removed, but not from being replaced by a
 * renamed one: a program may rename only to what is not there. guard.so makes the rest of rename.
 */
void keep_from_replacing(void)
{
    struct sock_filter filter[] = {
        NATIVE_CALLS_ONLY,
#if defined __x86_64__
        REFUSE(SYS_rename),
#endif
        REFUSE(SYS_renameat),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
        LOAD(args[4]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RENAME_NOREPLACE, 1, 0),
        ANSWER(REFUSAL(EPERM)),
        ANSWER(SECCOMP_RET_ALLOW),
    };
    install(filter, LENGTH(filter));
}
