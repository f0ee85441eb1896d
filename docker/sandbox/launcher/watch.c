/* From the command's start to its end: output passed on at once, limits kept, orphans reaped. */
#include "launcher.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the launcher waits for. The streams come first, so that their numbers are indices. */
enum event { STDOUT_WRITTEN = OUTPUT_STREAM, STDERR_WRITTEN = ERROR_STREAM, WORKER_GONE, CHILD_ENDED, EXEC_ASKED };

enum {
    BURST_AFTER = 16,   /* writes of one stream in a row */
    BURST_MS = 20,      /* the longest burst; what is there then is still read */
    MOST_TURNS = 40000, /* changes between the streams in order; the worker keeps 20,000 items apart (reporter.ts) */
    LAST_EVENTS = 64,   /* after the end, more than the pipes can hold; what is written later is not waited for */
    EVENTS = EXEC_ASKED + 1,
};

struct state {
    struct command *command;
    uint32_t output_left; /* bytes */
    int last_stream;
    unsigned in_a_row; /* writes of the last stream */
    unsigned turns;    /* changes between the streams */
    int64_t deadline_ms;
    bool over_output_limit;
    bool ended;
    bool is_last_look; /* at what the pipes hold: no burst begins */
    int wait_status;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void expect(int events, int operation, int file, enum event what, uint32_t how)
{
    struct epoll_event event = {.events = EPOLLIN | how, .data.u32 = what};
    if (epoll_ctl(events, operation, file, &event) != 0)
        die("epoll_ctl");
}

/* Before the command exists: edges that came before this would have no order. */
int expect_writes(const struct stream streams[STREAMS])
{
    int events = epoll_create1(EPOLL_CLOEXEC);
    if (events < 0)
        die("epoll_create1");
    for (int stream = 0; stream < STREAMS; stream++)
        expect(events, EPOLL_CTL_ADD, streams[stream].from, (enum event)stream, EPOLLET);
    return events;
}

/* The edge comes again, behind those that are there, if there is something to read. */
static void expect_more(const struct state *state, int stream)
{
    expect(state->command->events, EPOLL_CTL_MOD, state->command->streams[stream].from, (enum event)stream, EPOLLET);
}

static void pass_on(struct state *state, int stream, const unsigned char *bytes, size_t length)
{
    if (length > state->output_left) {
        state->over_output_limit = true;
        length = state->output_left;
    }
    state->output_left -= (uint32_t)length;
    if (length > 0)
        send_frame(stream == OUTPUT_STREAM ? OUTPUT : ERROR_OUTPUT, bytes, length);
}

/* Edges of writes that a burst has read already would come before those of later writes. */
static void forget_edges(const struct state *state)
{
    struct epoll_event edges[EVENTS]; /* what is not an edge comes again */
    epoll_wait(state->command->events, edges, EVENTS, 0);
}

/* Passes on what one stream holds, by `read`; false at the output limit, where nothing is read any more. */
static bool pass_on_all(struct state *state, int stream, ssize_t (*read)(struct stream *, unsigned char *, size_t),
                        int64_t until_ms)
{
    static unsigned char buffer[FRAME_BYTES];
    ssize_t count;
    while ((count = read(&state->command->streams[stream], buffer, sizeof buffer)) > 0) {
        pass_on(state, stream, buffer, (size_t)count);
        if (state->over_output_limit)
            return false;
        if (now_ms() >= until_ms)
            break;
    }
    return true;
}

/* Reads one stream at full speed for a while (streams.c). False if that cannot be done now. */
static bool read_burst_of(struct state *state, int stream)
{
    struct stream *flowing = &state->command->streams[stream], *other = &state->command->streams[1 - stream];
    if (!begin_burst(flowing, other))
        return false;
    if (!pass_on_all(state, stream, read_burst, now_ms() + BURST_MS))
        return true;
    end_burst(flowing);
    do
        if (!pass_on_all(state, stream, read_stream, INT64_MAX))
            return true;
    while (!narrow(flowing));
    forget_edges(state);
    expect_more(state, stream);
    unplug(other);
    return true;
}

/* After an edge: one write is passed on, or a burst of them. */
static void read_written(struct state *state, int stream)
{
    static unsigned char buffer[FRAME_BYTES];
    struct stream *written = &state->command->streams[stream];
    if (state->over_output_limit)
        return;
    if (stream != state->last_stream && ++state->turns == MOST_TURNS)
        give_up_order(state->command->streams);
    state->in_a_row = stream == state->last_stream ? state->in_a_row + 1 : 1;
    state->last_stream = stream;
    ssize_t count = read_stream(written, buffer, sizeof buffer);
    if (count <= 0)
        return;
    pass_on(state, stream, buffer, (size_t)count);
    bool can_burst = state->in_a_row >= BURST_AFTER && state->turns < MOST_TURNS && !state->is_last_look;
    bool read_on = can_burst && read_burst_of(state, stream);
    if (!read_on && has_more(written))
        expect_more(state, stream);
}

/* As PID 1 the launcher is the parent of all orphans; left alone they would fill the process limit. */
static void reap(struct state *state, int signals)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    while (read(signals, &info, sizeof info) > 0)
        continue;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == state->command->pid) {
            state->ended = true;
            state->wait_status = status;
        }
    }
}

/* False if nothing has happened in that time. */
static bool handle_next(struct state *state, int signals, int timeout_ms)
{
    struct epoll_event event;
    int count = epoll_wait(state->command->events, &event, 1, timeout_ms);
    if (count < 0 && errno != EINTR)
        die("epoll_wait");
    if (count != 1)
        return false;
    switch ((enum event)event.data.u32) {
    case STDOUT_WRITTEN:
    case STDERR_WRITTEN:
        read_written(state, (int)event.data.u32);
        break;
    case WORKER_GONE: /* nothing else is due on stdin any more */
        _exit(0);
    case CHILD_ENDED:
        reap(state, signals);
        break;
    case EXEC_ASKED:
        answer_exec(state->command->door);
        break;
    }
    return true;
}

static int time_left_ms(const struct state *state)
{
    int64_t left = state->deadline_ms - now_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* In the words of a shell, and with its status: a command that is there and cannot be executed. */
static uint32_t tell_why_not(const struct state *state, const char *word)
{
    char text[NAME_BYTES + 64];
    snprintf(text, sizeof text, "%.*s: %s\n", NAME_BYTES, word, strerror(*state->command->failed));
    size_t length = strlen(text);
    send_frame(ERROR_OUTPUT, text, length < state->output_left ? length : state->output_left);
    return 126;
}

static uint32_t status_of(const struct state *state)
{
    int status = state->wait_status;
    return (uint32_t)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static enum reason reason_of(const struct state *state)
{
    if (state->over_output_limit)
        return OUTPUT_LIMIT;
    if (!state->ended)
        return TIME_LIMIT;
    if (ran_out_of_memory())
        return OUT_OF_MEMORY;
    if (*state->command->failed == NOT_STARTED)
        die("the command was not started");
    if (*state->command->failed == ENOENT)
        return NOT_FOUND;
    return WIFSIGNALED(state->wait_status) ? SIGNALLED : EXITED;
}

struct end watch(const struct request *request, struct command *command, int signals)
{
    int64_t start_ms = now_ms();
    struct state state = {
        .command = command,
        .output_left = request->output_limit_bytes,
        .last_stream = OUTPUT_STREAM,
        .deadline_ms = start_ms + request->time_limit_ms,
    };
    expect(command->events, EPOLL_CTL_ADD, STDIN_FILENO, WORKER_GONE, 0);
    expect(command->events, EPOLL_CTL_ADD, signals, CHILD_ENDED, 0);
    if (command->door >= 0)
        expect(command->events, EPOLL_CTL_ADD, command->door, EXEC_ASKED, 0);
    while (!state.ended && !state.over_output_limit && time_left_ms(&state) > 0)
        handle_next(&state, signals, time_left_ms(&state));
    int64_t end_ms = now_ms();
    state.is_last_look = true;
    for (int events = 0; events < LAST_EVENTS && handle_next(&state, signals, 0); events++)
        continue;
    struct end end = {reason_of(&state), status_of(&state), (uint32_t)(end_ms - start_ms)};
    if (end.reason == EXITED && *command->failed != 0)
        end.status = tell_why_not(&state, request->words[0]);
    return end;
}
