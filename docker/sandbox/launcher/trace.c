/*
 * Permits only the first exec of a program under gVisor, whose kernel has no seccomp listener. The filter (confine.c)
 * asks the tracer and refuses an exec without one. The launcher traces its child up to the first exec, then detaches.
 */
#include "launcher.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Call it before the fork. A process that is not dumpable cannot be traced, nor can its child. */
void make_start_pipe(int start_pipe[2])
{
    if (pipe2(start_pipe, O_CLOEXEC) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
        die("start pipe");
}

/* In the child. Returns when the launcher traces it. */
void wait_for_tracer(const int start_pipe[2])
{
    char nothing;
    if (read(start_pipe[0], &nothing, 1) != 1)
        die("start pipe");
}

/* In the launcher. Returns when the child is in its exec. */
void see_through_exec(pid_t pid, const int start_pipe[2])
{
    int status;
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESECCOMP) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        die("trace (a kernel of gVisor's needs a SANDBOX_RUNTIME that says so)");
    if (write(start_pipe[1], "", 1) != 1 || close(start_pipe[0]) != 0 || close(start_pipe[1]) != 0)
        die("start pipe");
    /* Not waitid: gVisor reports this stop as an exit. */
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        die("the command was not started");
    if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0)
        die("detach");
}
