/*
 * Seccomp filters. A program cannot start processes, nor use kernel objects that all containers share and that are
 * charged to none. The kernel enforces the filters; guard.so only adds error messages.
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
/* Expects the number of the system call to be loaded. */
#define ON(call, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), ANSWER(action)
#define REFUSE(call) ON(call, REFUSAL(EPERM))
/* System calls by the numbers of another architecture would bypass the rest of the filter. */
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
 * Makes each exec wait for permission at the returned seccomp listener. The launcher applies the filter to itself, so
 * that its child inherits it and needs not pass the listener back. Needs Linux 5.5. A rule on the arguments of execve
 * would not do: it sees pointers only, and the program can put another path behind a pointer.
 *
 * Returns -1 under gVisor, whose kernel has no listeners. There an exec needs a tracer and fails without one. The
 * launcher traces its child up to the first exec (trace.c).
 */
int lock_exec(void)
{
    int listener = on_exec(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener >= 0)
        return listener;
    if (errno != EINVAL || on_exec(SECCOMP_RET_TRACE, 0) < 0)
        die("seccomp");
    return -1;
}

/* Permits the first exec, which the launcher's child calls. Closing the listener refuses all others. */
void permit_exec(int listener)
{
    struct seccomp_notif asked = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
        die("request to execute");
    struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0)
        die("exec allowed");
    close(listener);
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

/* Instructions for one system call. They may load its arguments, and must end with an answer. */
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
/* The kernel reads only the lower half of an int argument, which is what args[n] loads. */
#define IF_SET(bits, action) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), ANSWER(action)

#ifndef O_NOTIFICATION_PIPE
#define O_NOTIFICATION_PIPE O_EXCL
#endif

/*
 * Applies to every command. A filter cannot see the flags of clone3, which may create a namespace. With ENOSYS the C
 * library uses clone. The container's profile cannot give this answer: gVisor answers EPERM for all that a profile
 * refuses, and then no thread starts.
 */
void confine_command(void)
{
    struct filter filter = {.length = 0};
    APPEND(&filter, NATIVE_CALLS_ONLY);
    APPEND(&filter, ON(SYS_clone3, REFUSAL(ENOSYS)));
    APPEND(&filter, REFUSE(SYS_ptrace)); /* gVisor: the profile permits it for the launcher (trace.c) */
    /* Huge pages come from a pool of the whole machine. Notification pipes are not charged to the container. */
    APPEND_FOR(&filter, SYS_mmap, LOAD(args[3]), IF_SET(MAP_HUGETLB, REFUSAL(EPERM)), ANSWER(SECCOMP_RET_ALLOW));
    APPEND_FOR(&filter, SYS_memfd_create, LOAD(args[1]), IF_SET(MFD_HUGETLB, REFUSAL(EPERM)),
               ANSWER(SECCOMP_RET_ALLOW));
    APPEND_FOR(&filter, SYS_pipe2, LOAD(args[1]), IF_SET(O_NOTIFICATION_PIPE, REFUSAL(EPERM)),
               ANSWER(SECCOMP_RET_ALLOW));
    APPEND(&filter, ANSWER(SECCOMP_RET_ALLOW));
    install(filter.instructions, filter.length);
}

/* A thread of a program must share all of these, or it would get limits of its own. */
enum { SHARED_BY_THREADS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD };

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif

/* Refuses what compilers and provers need, and programs do not. */
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
    /*
     * Locks are kernel memory that is not charged to the container. Locks on an eventfd, a timerfd or an epoll are in
     * one list for the whole machine. ENOLCK is the answer of a file system without locks.
     */
    APPEND(&filter, ON(SYS_flock, REFUSAL(ENOLCK)));
    APPEND_FOR(&filter, SYS_fcntl, LOAD(args[1]), ON(F_SETLK, REFUSAL(ENOLCK)), ON(F_SETLKW, REFUSAL(ENOLCK)),
               ON(F_OFD_SETLK, REFUSAL(ENOLCK)), ON(F_OFD_SETLKW, REFUSAL(ENOLCK)), REFUSE(F_SETLEASE),
               REFUSE(F_NOTIFY), REFUSE(F_SETPIPE_SZ), ANSWER(SECCOMP_RET_ALLOW));
    APPEND(&filter, ANSWER(SECCOMP_RET_ALLOW));
    install(filter.instructions, filter.length);
}

/*
 * Keeps a program from opening pseudo terminals, because the kernel limits them for the whole machine. ENOENT: the
 * runtime provides none.
 */
void hide_terminals(void)
{
    if (chmod("/dev/pts/ptmx", 0) != 0 && errno != ENOENT)
        die("/dev/pts/ptmx");
}

/*
 * In a sticky folder under gVisor, other users cannot remove a file, but can replace it by a rename. So a program may
 * not rename to an existing file. guard.so implements the rest of rename.
 */
void forbid_replacing(void)
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
