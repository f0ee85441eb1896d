/* The helper processes: the stand-in again under other names, each starting the next. */
#include "stand-in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t start_helper(const char *name, const char *argument, bool own_group)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", HELPERS, name);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        if (own_group)
            must(setpgid(0, 0) == 0, "setpgid");
        execl(path, path, argument, (char *)NULL);
        refuse(path);
    }
    return pid;
}

int end_of(pid_t helper)
{
    int status;
    must(waitpid(helper, &status, 0) == helper, "wait for a helper");
    return status;
}

/* Its own status is its helper's, but for a helper that was killed: that is a failure like any. */
static _Noreturn void pass_on(const char *name, const char *argument)
{
    int status = end_of(start_helper(name, argument, false));
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* From gprbuild down to the provers, as they were seen beside each other in a real proof. */
_Noreturn void be_helper(const char *name, const char *argument)
{
    if (strcmp(name, "gprbuild") == 0)
        pass_on("gnat2why", argument);
    if (strcmp(name, "gnat2why") == 0)
        pass_on("spark_semaphore_wrapper", argument);
    if (strcmp(name, "spark_semaphore_wrapper") == 0) {
        if (strcmp(argument, "") == 0)
            use_semaphore();
        pass_on("gnatwhy3", argument);
    }
    if (strcmp(name, "gnatwhy3") == 0) {
        if (strcmp(argument, "hog") == 0)
            eat_memory();
        if (strcmp(argument, "linger") == 0)
            for (;;)
                pause();
        ask_server();
        exit(0);
    }
    if (strcmp(name, "why3server") == 0)
        be_server();
    if (strcmp(name, "cvc5") == 0)
        be_prover();
    refuse_as(name, "no helper of that name");
}
