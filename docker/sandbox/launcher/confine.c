/*
 * No process but the program's own, and its threads, ever comes to be, by whatever door. guard.so
 * gives a refusal its words, but can be gone around; these two filters, in the kernel, cannot.
 */
#include "launcher.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
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
#define NATIVE_CALLS_ONLY \
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0), ANSWER(REFUSAL(EPERM)), LOAD(nr), \
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

/*
 * For every command. clone3 has its flags behind a pointer, where no filter sees a wish for a
 * namespace; the C library takes ENOSYS as a wish for clone. The container's profile could say so
 * as well, but gVisor answers EPERM for all that a profile refuses, and then no thread starts.
 */
void confine_command(void)
{
    struct sock_filter filter[] = {
        NATIVE_CALLS_ONLY,
        ON(SYS_clone3, REFUSAL(ENOSYS)),
        REFUSE(SYS_ptrace), /* under gVisor the profile has it for the launcher's sake (trace.c) */
        ANSWER(SECCOMP_RET_ALLOW),
    };
    install(filter, LENGTH(filter));
}

/* What the container's profile allows for the sake of compilers and provers, and no program needs. */
void confine_program(void)
{
    struct sock_filter filter[] = {
        NATIVE_CALLS_ONLY,
#if defined __x86_64__
        REFUSE(SYS_fork),
        REFUSE(SYS_vfork),
#endif
        REFUSE(SYS_socket),
        REFUSE(SYS_socketpair),
        REFUSE(SYS_seccomp),
        REFUSE(SYS_memfd_create),
        /* Last, since it loads the flags over the number: a thread, or nothing. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
        ANSWER(REFUSAL(EPERM)),
        ANSWER(SECCOMP_RET_ALLOW),
    };
    install(filter, LENGTH(filter));
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
