/*
 * Runs from the command's start to its end: forwards output, applies limits, reaps orphans. streams.c explains how
 * order is kept.
 */
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

/* Values of epoll's data. The first two equal the stream indices. */
enum event { STDOUT_WRITTEN = OUTPUT_STREAM, STDERR_WRITTEN = ERROR_STREAM, WORKER_GONE, CHILD_ENDED, EXEC_ASKED };

enum {
    BULK_AFTER = 16, /* writes of one stream in a row */
    BULK_MS = 20,    /* duration of a bulk read, before the pipe is emptied */
    /* Switches after which the order of the streams is not kept. The worker keeps it for 20,000 items (reporter.ts). */
    MAX_SWITCHES = 40000,
    /* Events handled after the end: enough to empty the pipes. Later writes of orphans may be lost. */
    DRAIN_EVENTS = 64,
    EVENTS = EXEC_ASKED + 1,
};

struct state {
    struct command *command;
    uint32_t output_left; /* bytes */
    int last_stream;
    unsigned in_a_row; /* writes of the last stream */
    unsigned switches; /* changes between the streams */
    int64_t deadline_ms;
    bool over_output_limit;
    bool ended;
    bool is_draining; /* after the end: no bulk read begins */
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

/* Call before the command starts: writes made before it are reported in no particular order. */
int expect_writes(const struct stream streams[STREAMS])
{
    int events = epoll_create1(EPOLL_CLOEXEC);
    if (events < 0)
        die("epoll_create1");
    for (int stream = 0; stream < STREAMS; stream++)
        expect(events, EPOLL_CTL_ADD, streams[stream].from, (enum event)stream, EPOLLET);
    return events;
}

/* Re-arms a stream: if it holds data, epoll reports it again, after the events that are already pending. */
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

/* Drops pending events of writes that the bulk read has forwarded. They would distort the order of later writes. */
static void drop_pending_events(const struct state *state)
{
    struct epoll_event dropped[EVENTS]; /* level-triggered events come again */
    epoll_wait(state->command->events, dropped, EVENTS, 0);
}

/* Forwards until nothing is left to read or `until_ms` has passed: true. Stops at the output limit: false. */
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

/* Reads one stream in bulk for a short time (streams.c). False if that is not possible now. */
static bool read_stream_in_bulk(struct state *state, int stream)
{
    struct stream *busy = &state->command->streams[stream], *other = &state->command->streams[1 - stream];
    if (!begin_bulk(busy, other))
        return false;
    if (!pass_on_all(state, stream, read_bulk, now_ms() + BULK_MS))
        return true;
    end_bulk(busy);
    do
        if (!pass_on_all(state, stream, read_stream, INT64_MAX))
            return true;
    while (!shrink(busy));
    drop_pending_events(state);
    expect_more(state, stream);
    unblock(other);
    return true;
}

/* Handles the event of a stream: forwards one write, which may begin a bulk read. */
static void read_written(struct state *state, int stream)
{
    static unsigned char buffer[FRAME_BYTES];
    struct stream *written = &state->command->streams[stream];
    if (state->over_output_limit)
        return;
    if (stream != state->last_stream && ++state->switches == MAX_SWITCHES)
        give_up_order(state->command->streams);
    state->in_a_row = stream == state->last_stream ? state->in_a_row + 1 : 1;
    state->last_stream = stream;
    ssize_t count = read_stream(written, buffer, sizeof buffer);
    if (count <= 0)
        return;
    pass_on(state, stream, buffer, (size_t)count);
    bool can_read_bulk = state->in_a_row >= BULK_AFTER && state->switches < MAX_SWITCHES && !state->is_draining;
    bool read_on = can_read_bulk && read_stream_in_bulk(state, stream);
    if (!read_on && has_more(written))
        expect_more(state, stream);
}

/* PID 1 is the parent of all orphans. Zombies would fill the process limit. */
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

/* Waits for one event and handles it. False if none came: after the timeout, or because a signal interrupted. */
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
    case WORKER_GONE: /* the worker sends nothing after GO, so this is EOF */
        _exit(0);
    case CHILD_ENDED:
        reap(state, signals);
        break;
    case EXEC_ASKED:
        permit_exec(state->command->listener);
        break;
    }
    return true;
}

static int time_left_ms(const struct state *state)
{
    int64_t left = state->deadline_ms - now_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* As a shell reports a command that exists but cannot be executed. */
static uint32_t report_exec_failure(const struct state *state, const char *word)
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
    if (command->listener >= 0)
        expect(command->events, EPOLL_CTL_ADD, command->listener, EXEC_ASKED, 0);
    while (!state.ended && !state.over_output_limit && time_left_ms(&state) > 0)
        handle_next(&state, signals, time_left_ms(&state));
    int64_t end_ms = now_ms();
    state.is_draining = true;
    for (int events = 0; events < DRAIN_EVENTS && handle_next(&state, signals, 0); events++)
        continue;
    struct end end = {reason_of(&state), status_of(&state), (uint32_t)(end_ms - start_ms)};
    if (end.reason == EXITED && *command->failed != 0)
        end.status = report_exec_failure(&state, request->words[0]);
    return end;
}
