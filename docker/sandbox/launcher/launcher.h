/*
 * The launcher is PID 1 of a job's container. It receives one request on stdin, runs the one command,
 * sends its output as frames on stdout, then how it ended. Its exit is the container's end. Its
 * stderr is for its own diagnostics alone. protocol.h has the frames.
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

#define TABLES "/usr/share/code-widgets" /* of users and groups, of the image that runs programs */
#define GUARD "/usr/libexec/code-widgets/guard.so"

enum { FILE_BYTES = EXECUTABLE_BYTES };

struct request {
    enum confinement confinement; /* 0: no START yet */
    uid_t user;                   /* of the command; its group has the same number */
    bool inspect;                 /* no command is executed: inspect.c reports in its place */
    uint32_t time_limit_ms;
    uint32_t output_limit_bytes;
    uint32_t room_bytes; /* what the command may write into files, on top of what it is sent */
    char **words;        /* the command, ended by NULL as execve wants it */
    size_t word_count;
    char hand_back[NAME_BYTES + 1]; /* the executable that the worker wants; empty: none */
};

/* A pipe that is a command's stdout or stderr (streams.c). All ends are non-blocking, but for the command's. */
struct stream {
    int from;    /* read end */
    int command; /* write end, the command's own description */
    int plug;    /* write end of the launcher's; -1: the kernel has no packets in pipes */
};

enum { OUTPUT_STREAM, ERROR_STREAM, STREAMS };

struct command {
    pid_t pid;
    struct stream streams[STREAMS];
    int events;  /* epoll, which has the streams already (watch.c) */
    int door;    /* where a program's execve asks for leave (confine.c); -1: it does not */
    int *failed; /* shared with the child: 0, or errno of its exec, or NOT_STARTED */
};

enum { NOT_STARTED = -1 };

struct end {
    enum reason reason;
    uint32_t status; /* exit status, or 128 + signal (SIGNALLED) */
    uint32_t ms;     /* from the command's start to its end */
};

/* launcher.c: ends the container; the worker takes an end without a status frame for a failure. */
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
void leave_room(uint32_t bytes);
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
bool begin_burst(struct stream *flowing, struct stream *other);
ssize_t read_burst(struct stream *flowing, unsigned char *buffer, size_t length);
void end_burst(struct stream *flowing);
void give_up_order(const struct stream streams[STREAMS]);
bool narrow(struct stream *flowing);
void unplug(struct stream *other);

/* confine.c */
int lock_exec(void);
void answer_exec(int door);
void confine_command(void);
void confine_program(void);
void hide_terminals(void);
void keep_from_replacing(void);

/* trace.c */
void make_gate(int gate[2]);
void wait_at(const int gate[2]);
void see_through_exec(pid_t pid, const int gate[2]);

/* inspect.c */
_Noreturn void inspect(void);

/* watch.c */
int expect_writes(const struct stream streams[STREAMS]);
struct end watch(const struct request *request, struct command *command, int signals);

/* memory.c */
bool ran_out_of_memory(void);

#endif
