/*
 * A stand-in for gnatprove, for tests: it says what a real one said (see replay.c) and does on the
 * system what a real one was seen to do, so that a sandbox that is too narrow for a proof is
 * caught. It proves nothing. Whatever is refused to it ends it with status 3 and a line on stderr.
 */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PATH_BYTES = 4096, REFUSED = 3 };

/* Where the Dockerfile puts the names under which the stand-in starts itself, and the recordings. */
#define HELPERS "/opt/gnatprove/libexec/stand-in"
#define RECORDINGS "/opt/gnatprove/share/stand-in"

/* What the command line asks for. */
struct request {
    bool flow;       /* --mode=flow */
    bool report_all; /* --report=all */
};

struct text {
    char *bytes; /* ended by a NUL that does not count */
    size_t length;
};

/* main.c */
_Noreturn void refuse(const char *what); /* with errno's words */
_Noreturn void refuse_as(const char *what, const char *why);
void must(bool success, const char *what); /* refuses, unless */
void sleep_ms(long ms);

/* command-line.c: ends the process where a real one would. */
struct request read_command_line(int count, char **words);

/* surroundings.c */
void check_surroundings(void);
void make_semaphore(void);
void use_semaphore(void);
void remove_semaphore(void);
void write_results(void);
const char *folder(void); /* the project's: the current one */

/* helpers.c */
pid_t start_helper(const char *name, const char *argument, bool own_group);
int end_of(pid_t helper); /* its wait status */
_Noreturn void be_helper(const char *name, const char *argument);

/* server.c: the processes that talk over a socket */
_Noreturn void be_server(void);
void ask_server(void);
_Noreturn void be_prover(void);

/* replay.c */
struct text read_file(const char *path);
struct text find_recording(const struct request *request);
int replay(struct text recording); /* the recorded status */
void print(int stream, const char *bytes, size_t length);
void say(int stream, const char *text);

/* special.c: what no recording shows; returns where the project asks for nothing of it. */
void behave_specially(void);
_Noreturn void eat_memory(void);

#endif
