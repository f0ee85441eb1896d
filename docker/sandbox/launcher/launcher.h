/*
 * The launcher is PID 1 of a step's container. It takes one request on stdin, does that one thing,
 * passes on the output as frames on stdout, says how it ended, and its exit is the container's end.
 * Its stderr is for its own diagnostics alone.
 *
 * A frame, in both directions: one byte of type, the payload's length as u32 big-endian, payload.
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Raise with every change of the frames: the worker refuses an image that speaks another. */
enum { PROTOCOL_VERSION = 4 };

#define WORKSPACE "/workspace/sessions" /* cwd of every command */
#define SCRATCH "/workspace/tmp"        /* where the images' /tmp points */
#define TABLES "/usr/share/code-widgets" /* of users and groups, of the image that runs programs */
#define GUARD "/usr/libexec/code-widgets/guard.so"

/*
 * Users. The Dockerfile makes the builder. A program's user is drawn anew in each container, since the
 * kernel counts pipes, signals and timers for a user on the whole machine. All stay below 65,536: an
 * engine with userns-remap has no others.
 */
enum { BUILDER = 10001, FIRST_RUNNER = 20000, RUNNERS = 40000 };

enum {
    FRAME_BYTES = 64 * 1024, /* largest payload that the launcher sends */
    NAME_BYTES = 255,        /* longest file name */
    WORDS_BYTES = 1 << 20,   /* all words of a command together, below what execve takes */
    EXECUTABLE_BYTES = 8 << 20, /* limits.ts has the same number */
    FILE_BYTES = EXECUTABLE_BYTES,
};

enum kind { BUILD = 'b', RUN = 'r', PROVE = 'p' };

enum received { START = 'S', FILE_SENT = 'F', EXECUTABLE_SENT = 'X', WORD = 'A', HAND_BACK = 'B', GO = 'G' };

enum sent { READY = 'r', OUTPUT = 'o', ERROR_OUTPUT = 'e', EXECUTABLE = 'x', STATUS = 's' };

enum reason {
    EXITED = 'e',
    SIGNALLED = 'k',
    TIME_LIMIT = 't',
    OUTPUT_LIMIT = 'o',
    OUT_OF_MEMORY = 'm',
    NOT_FOUND = 'n',
};

struct request {
    enum kind kind;
    uid_t user; /* of the command; its group has the same number */
    bool find_configuration; /* gprbuild is not given the image's */
    bool inspect;            /* no command is executed: inspect.c speaks in its place */
    uint32_t time_limit_ms;
    uint32_t output_limit_bytes;
    uint32_t room_bytes; /* what a program may write, on top of what it is sent; 0: all that there is */
    char **words; /* the command, ended by NULL as execve wants it */
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
void make_workspace(enum kind kind, uid_t user);
void receive_file(const char *name, size_t length, bool executable);
void leave_room(uint32_t bytes);
void send_executable(const char *name);

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
