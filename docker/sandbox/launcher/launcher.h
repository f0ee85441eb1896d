/*
 * The launcher is PID 1 of a job's container. It receives a request on stdin, runs one command, and sends output and
 * status as frames on stdout (protocol.h). The container ends when it exits. It writes only diagnostics to stderr.
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

#define TABLES "/usr/share/code-widgets" /* passwd and group, only in the image of programs */
#define GUARD "/usr/libexec/code-widgets/guard.so"

enum { FILE_BYTES = EXECUTABLE_BYTES };

struct request {
    enum confinement confinement; /* 0: no START yet */
    uid_t user;                   /* of the command; also its group id */
    bool inspect;                 /* inspect.c runs in place of the command */
    uint32_t time_limit_ms;
    uint32_t output_limit_bytes;
    uint32_t room_bytes; /* for files that the command writes, without those sent */
    char **words;        /* the command, with a final NULL */
    size_t word_count;
    char hand_back[NAME_BYTES + 1]; /* name of the executable to send back; empty: none */
};

/* The pipe of a command's stdout or stderr (streams.c). All ends are non-blocking, except the command's. */
struct stream {
    int from;         /* read end */
    int command;      /* write end, the command's open file description */
    int blocking_end; /* the launcher's write end; -1: the kernel has no packet mode */
};

enum { OUTPUT_STREAM, ERROR_STREAM, STREAMS };

struct command {
    pid_t pid;
    struct stream streams[STREAMS];
    int events;   /* epoll instance, which already has the streams (watch.c) */
    int listener; /* seccomp listener of execve (confine.c); -1: none */
    int *failed;  /* shared with the child: 0, or errno of its exec, or NOT_STARTED */
};

enum { NOT_STARTED = -1 };

struct end {
    enum reason reason;
    uint32_t status; /* exit status, or 128 + signal (SIGNALLED) */
    uint32_t ms;     /* from the command's start to its end */
};

/* launcher.c. Ends the container. The worker treats an end without a status frame as a failure. */
_Noreturn void die(const char *what);

/* wire.c */
uint32_t decode_u32(const unsigned char *bytes);
void encode_u32(unsigned char *bytes, uint32_t value);
void receive_bytes(void *bytes, size_t length);
void send_frame(enum sent type, const void *payload, size_t length);

/* request.c */
void receive_request(struct request *request);

/* workspace.c */
void make_workspace(enum confinement confinement, uid_t user);
void receive_file(const char *name, size_t length, bool executable);
void limit_free_space(uint32_t bytes);
void send_executable(const char *name);

/* environment.c */
void begin_environment(enum confinement confinement);
void set_variable(enum confinement confinement, const char *assignment);

/* command.c */
struct command start_command(const struct request *request);

/* streams.c */
struct stream make_stream(void);
ssize_t read_stream(struct stream *stream, unsigned char *buffer, size_t length);
bool has_more(const struct stream *stream);
bool begin_bulk(struct stream *busy, struct stream *other);
ssize_t read_bulk(struct stream *busy, unsigned char *buffer, size_t length);
void end_bulk(struct stream *busy);
void give_up_order(const struct stream streams[STREAMS]);
bool shrink(struct stream *busy);
void unblock(struct stream *other);

/* confine.c */
int lock_exec(void);
void permit_exec(int listener);
void confine_command(void);
void confine_program(void);
void hide_terminals(void);
void forbid_replacing(void);

/* trace.c */
void make_start_pipe(int start_pipe[2]);
void wait_for_tracer(const int start_pipe[2]);
void see_through_exec(pid_t pid, const int start_pipe[2]);

/* inspect.c */
_Noreturn void inspect(void);

/* watch.c */
int expect_writes(const struct stream streams[STREAMS]);
struct end watch(const struct request *request, struct command *command, int signals);

/* memory.c */
bool ran_out_of_memory(void);

#endif
