/* Runs one job, from the request to the status. */
#include "launcher.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn void die(const char *what)
{
    dprintf(STDERR_FILENO, "launcher: %s: %s\n", what, errno ? strerror(errno) : "refused");
    _exit(70); /* EX_SOFTWARE */
}

static int take_child_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        die("sigprocmask");
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        die("signalfd");
    return signals;
}

static void send_status(const struct end *end)
{
    unsigned char payload[9];
    payload[0] = (unsigned char)end->reason;
    encode_u32(payload + 1, end->status);
    encode_u32(payload + 5, end->ms);
    send_frame(STATUS, payload, sizeof payload);
}

/*
 * Waits until stdin ends, since the engine's work for an ended container would delay the task. It does not wait if
 * other processes remain, because the end of PID 1 must kill them.
 */
static void wait_if_alone(void)
{
    pid_t child;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0)
        continue;
    if (child == 0)
        return; /* other processes remain: children, or their descendants */
    char byte;
    while (read(STDIN_FILENO, &byte, sizeof byte) < 0 && errno == EINTR)
        continue;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("code-widgets " VERSION) < 0;
    /* No descriptor of the engine may reach the command, and no process may trace this one. */
    if (syscall(SYS_close_range, 3, INT_MAX /* gVisor's maximum */, 0) != 0)
        die("close_range");
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        die("PR_SET_DUMPABLE");

    const unsigned char version = PROTOCOL_VERSION;
    send_frame(READY, &version, sizeof version);

    struct request request = {0};
    receive_request(&request);
    /* An inspection reports a workspace without a size. To fill it would end the container. */
    if (!request.inspect)
        limit_free_space(request.room_bytes);

    int signals = take_child_signals();
    struct command command = start_command(&request);
    struct end end = watch(&request, &command, signals);

    if (request.hand_back[0] != '\0' && end.reason == EXITED && end.status == 0)
        send_executable(request.hand_back);
    send_status(&end);
    wait_if_alone();
    return 0;
}
