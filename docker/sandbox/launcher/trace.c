/*
 * A program's first exec, and no other, where the kernel cannot ask for leave (gVisor's): the filter
 * (confine.c) leaves an exec to the process's tracer and refuses it where there is none. So the
 * launcher traces its child up to that exec, and then lets it go for good.
 */
#include "launcher.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before the fork: what the child waits at. What is not dumpable cannot be traced, nor can its child. */
void make_gate(int gate[2])
{
    if (pipe2(gate, O_CLOEXEC) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
        die("gate");
}

/* In the child: not to go on before it has its tracer. */
void wait_at(const int gate[2])
{
    char nothing;
    if (read(gate[0], &nothing, 1) != 1)
        die("gate");
}

/* In the launcher: returns when the child is in its exec. */
void see_through_exec(pid_t pid, const int gate[2])
{
    int status;
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESECCOMP) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        die("trace (a kernel of gVisor's needs a SANDBOX_RUNTIME that says so)");
    if (write(gate[1], "", 1) != 1 || close(gate[0]) != 0 || close(gate[1]) != 0)
        die("gate");
    /* Not waitid: gVisor's takes this stop for an end. */
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        die("the command was not started");
    if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0)
        die("let go");
}
