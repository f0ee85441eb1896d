/* The story of a proof, top to bottom; or, under a helper's name, that helper. */
#include "stand-in.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Noreturn void refuse_as(const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "stand-in: %s: %s\n", what, why);
    exit(REFUSED);
}

_Noreturn void refuse(const char *what)
{
    refuse_as(what, strerror(errno));
}

void must(bool success, const char *what)
{
    if (!success)
        refuse(what);
}

void sleep_ms(long ms)
{
    struct timespec rest = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        continue;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int main(int count, char **words)
{
    if (strcmp(name_of(words[0]), "gnatprove") != 0)
        be_helper(name_of(words[0]), count > 1 ? words[1] : "");

    struct request request = read_command_line(count, words);
    check_surroundings();
    behave_specially();
    struct text recording = find_recording(&request);

    make_semaphore();
    pid_t server = start_helper("why3server", "", true);
    pid_t analysis = start_helper("gprbuild", "", false);
    int status = replay(recording);
    if (end_of(analysis) != 0)
        refuse_as("gprbuild", "it failed");
    write_results();
    must(kill(server, SIGTERM) == 0, "kill the server");
    int end = end_of(server);
    if (!WIFSIGNALED(end) || WTERMSIG(end) != SIGTERM)
        refuse_as("why3server", "it did not wait for the end");
    remove_semaphore();
    return status;
}
