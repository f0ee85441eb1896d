/* Starting the command: as its user, with its environment, and with nothing of the launcher's. */
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

/* What no process of this user can ever gain: those that the launcher has had. Needs CAP_SETPCAP. */
static void empty_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            die("PR_CAPBSET_DROP");
}

static void become(uid_t user)
{
    empty_bounding_set();
    if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0)
        die("become user");
    drop_capabilities();
}

/*
 * When memory runs out the kernel should kill the command, so that the launcher can report it. A
 * program may undo this. If the kernel then kills the launcher, the engine reports it (step.ts).
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

static _Noreturn void be_command(const struct request *request, bool traced, int output, int error, int *failed)
{
    sigset_t none;
    sigemptyset(&none);
    offer_to_oom_killer();
    become(request->user);
    /* A group and no session of its own: a session's leader may not setpgid, and gnatprove does. */
    if (setpgid(0, 0) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        die("setpgid");
    confine_command();
    if (traced)
        keep_from_replacing();
    if (request->confinement == PROGRAM)
        confine_program();          /* the last: no filter can be set after it */
    connect_streams(output, error); /* last, so that die() until here speaks to the worker */
    *failed = 0;                    /* every other descriptor closes on exec */
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
    struct command command = {.door = -1};
    int *failed = mmap(NULL, sizeof *failed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failed == MAP_FAILED)
        die("mmap");
    *failed = NOT_STARTED;
    struct stream *output = &command.streams[OUTPUT_STREAM], *error = &command.streams[ERROR_STREAM];
    /* The pipes belong to the command's user, or it could not open /dev/stdout. Not setfsuid: gVisor has none. */
    if (seteuid(request->user) != 0)
        die("seteuid");
    *output = make_stream();
    *error = make_stream();
    if (seteuid(0) != 0)
        die("seteuid");
    command.events = expect_writes(command.streams);
    if (request->confinement == PROGRAM) {
        hide_terminals();
        command.door = lock_exec();
    }
    bool traced = request->confinement == PROGRAM && command.door < 0;
    int gate[2];
    if (traced)
        make_gate(gate);

    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (command.door >= 0)
            close(command.door); /* or its own copy would keep the door open until the exec */
        if (traced)
            wait_at(gate);
        be_command(request, traced, output->command, error->command, failed);
    }
    if (traced)
        see_through_exec(pid, gate);
    drop_capabilities(); /* nothing that needs them is left to do */
    command.pid = pid;
    command.failed = failed;
    return command;
}
