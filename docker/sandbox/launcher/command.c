/* Starts the command: as its user, with its environment, and with no descriptor of the launcher. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    if (syscall(SYS_capset, &header, none) != 0)
        die("capset");
}

/* No process in the container can gain the launcher's capabilities afterwards. Needs CAP_SETPCAP. */
static void empty_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            die("PR_CAPBSET_DROP");
}

static void switch_user(uid_t user)
{
    empty_bounding_set();
    if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0)
        die("become user");
    drop_capabilities();
}

/*
 * The OOM killer should choose the command, so that the launcher can report it. A program may undo this. If the kernel
 * kills the launcher, the worker learns it from the engine (execute.ts).
 */
static void offer_to_oom_killer(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "1000", 4) != 4 || close(file) != 0)
        die("oom_score_adj");
}

static void connect_streams(int output, int error)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(error, STDERR_FILENO) < 0)
        die("streams");
}

static _Noreturn void exec_command(const struct request *request, bool traced, int output, int error, int *failed)
{
    sigset_t none;
    sigemptyset(&none);
    offer_to_oom_killer();
    switch_user(request->user);
    /* A process group but no session: a session leader may not call setpgid, and gnatprove does. */
    if (setpgid(0, 0) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        die("setpgid");
    confine_command();
    if (traced)
        forbid_replacing();
    if (request->confinement == PROGRAM)
        confine_program();          /* last filter: it forbids further ones */
    connect_streams(output, error); /* late: messages of die() must reach the worker */
    *failed = 0;                    /* all other descriptors close on exec */
    if (request->inspect)
        inspect();
    if (request->confinement == PROGRAM)
        execve(request->words[0], request->words, environ);
    else
        execvp(request->words[0], request->words);
    *failed = errno;
    _exit(127);
}

struct command start_command(const struct request *request)
{
    struct command command = {.listener = -1};
    int *failed = mmap(NULL, sizeof *failed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failed == MAP_FAILED)
        die("mmap");
    *failed = NOT_STARTED;
    struct stream *output = &command.streams[OUTPUT_STREAM], *error = &command.streams[ERROR_STREAM];
    /* The pipes must belong to the command's user, or it cannot open /dev/stdout. gVisor has no setfsuid. */
    if (seteuid(request->user) != 0)
        die("seteuid");
    *output = make_stream();
    *error = make_stream();
    if (seteuid(0) != 0)
        die("seteuid");
    command.events = expect_writes(command.streams);
    if (request->confinement == PROGRAM) {
        hide_terminals();
        command.listener = lock_exec();
    }
    bool traced = request->confinement == PROGRAM && command.listener < 0;
    int start_pipe[2];
    if (traced)
        make_start_pipe(start_pipe);

    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (command.listener >= 0)
            close(command.listener); /* else the listener would stay open until the exec */
        if (traced)
            wait_for_tracer(start_pipe);
        exec_command(request, traced, output->command, error->command, failed);
    }
    if (traced)
        see_through_exec(pid, start_pipe);
    drop_capabilities(); /* not needed any more */
    command.pid = pid;
    command.failed = failed;
    return command;
}
