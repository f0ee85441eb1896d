/* From the command's start to its end: output passed on at once, limits kept, orphans reaped. */
#include "launcher.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct state {
    struct command *command;
    uint32_t output_left; /* bytes */
    bool over_output_limit;
    bool ended;
    int wait_status;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One read passed on. False when there is nothing to read, for now or (then closed) for ever. */
static bool pass_on(struct state *state, int *from, enum sent type)
{
    static unsigned char buffer[FRAME_BYTES];
    if (*from < 0 || state->over_output_limit)
        return false;
    ssize_t count = read(*from, buffer, sizeof buffer);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (count <= 0) {
        close(*from);
        *from = -1;
        return false;
    }
    size_t length = (size_t)count;
    if (length > state->output_left) {
        state->over_output_limit = true;
        length = state->output_left;
    }
    state->output_left -= (uint32_t)length;
    if (length > 0)
        send_frame(type, buffer, length);
    return true;
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

static void wait_for_something(struct state *state, int signals, int64_t deadline_ms)
{
    struct command *command = state->command;
    struct pollfd events[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = signals, .events = POLLIN},
        {.fd = command->door, .events = POLLIN},
        {.fd = command->output, .events = POLLIN},
        {.fd = command->error, .events = POLLIN},
    };
    int64_t left = deadline_ms - now_ms();
    int timeout = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
    if (poll(events, sizeof events / sizeof *events, timeout) < 0 && errno != EINTR)
        die("poll");
    /* Nothing is due on stdin any more but its end, and with it the worker's: so ours as well. */
    if (events[0].revents)
        _exit(0);
    if (events[2].revents) {
        answer_exec(command->door);
        command->door = -1;
    }
    if (events[3].revents)
        pass_on(state, &command->output, OUTPUT);
    if (events[4].revents)
        pass_on(state, &command->error, ERROR_OUTPUT);
    if (events[1].revents)
        reap(state, signals);
}

/* What the command wrote before its end; whoever else still holds the pipes is not waited for. */
static void drain(struct state *state)
{
    while (pass_on(state, &state->command->output, OUTPUT))
        continue;
    while (pass_on(state, &state->command->error, ERROR_OUTPUT))
        continue;
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
    return *state->command->failed == ENOENT ? NOT_FOUND : EXITED;
}

struct end watch(const struct request *request, struct command *command, int signals)
{
    struct state state = {.command = command, .output_left = request->output_limit_bytes};
    int64_t start_ms = now_ms();
    int64_t deadline_ms = start_ms + request->time_limit_ms;
    while (!state.ended && !state.over_output_limit && now_ms() < deadline_ms)
        wait_for_something(&state, signals, deadline_ms);
    int64_t end_ms = now_ms();
    drain(&state);
    struct end end = {reason_of(&state), status_of(&state), (uint32_t)(end_ms - start_ms)};
    if (end.reason == EXITED && *command->failed != 0)
        end.status = tell_why_not(&state, request->words[0]);
    return end;
}
