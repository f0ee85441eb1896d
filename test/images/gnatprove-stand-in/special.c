/* Proofs that go wrong, asked for by the name of a source; no recording shows them. */
#include "stand-in.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, FLOOD_LINES = 100000 };

static bool asks_for(const char *source)
{
    return access(source, F_OK) == 0;
}

static void start_phases(void)
{
    say(STDOUT_FILENO, "Phase 1 of 3: generation of data representation information ...\n");
}

/* Beyond every limit, deaf to polite signals, and not alone: a grandchild has the pipes as well. */
static _Noreturn void hang(void)
{
    signal(SIGTERM, SIG_IGN);
    make_semaphore();
    start_helper("why3server", "", true);
    start_helper("gprbuild", "linger", true);
    for (;;)
        pause();
}

_Noreturn void eat_memory(void)
{
    for (;;) {
        char *memory = malloc(MIB);
        must(memory != NULL, "allocate memory");
        memset(memory, 1, MIB);
    }
}

/* A real one takes the kill of what it started for its own bug, and ends with 1. */
static _Noreturn void hog(void)
{
    if (end_of(start_helper("gprbuild", "hog", false)) == 0)
        refuse_as("gnatwhy3", "it was not killed");
    say(STDERR_FILENO, "+===========================GNAT BUG DETECTED==============================+\n"
                       "| Please submit a bug report; see https://gcc.gnu.org/bugs/ .              |\n"
                       "+==========================================================================+\n"
                       "gnatprove: error during flow analysis and proof\n");
    exit(1);
}

static _Noreturn void flood(void)
{
    for (int i = 0; i < FLOOD_LINES; i++)
        say(STDERR_FILENO, "flood.adb:1:01: info: a message that is followed by many of its kind\n");
    exit(0);
}

/* Ends well, and leaves behind all that a proof can leave. */
static _Noreturn void litter(void)
{
    make_semaphore();
    write_results();
    start_helper("why3server", "", true);
    start_helper("gprbuild", "linger", true);
    ask_server(); /* the server has its socket, and stays */
    say(STDOUT_FILENO, "left: a semaphore, a socket, a folder, processes\n");
    exit(0);
}

void behave_specially(void)
{
    if (asks_for("hang.adb")) {
        start_phases();
        hang();
    }
    if (asks_for("hog.adb")) {
        start_phases();
        hog();
    }
    if (asks_for("flood.adb")) {
        start_phases();
        flood();
    }
    if (asks_for("litter.adb")) {
        start_phases();
        litter();
    }
}
