/*
 * What a real gnatprove said of this very project: found by the project's files, printed chunk by
 * chunk to the recorded streams at the recorded pace, only faster.
 *
 * A recording has a line and sometimes bytes for each thing: `flow 0|1`, `report-all 0|1`,
 * `status N`, then `file NAME BYTES` and `chunk MS STREAM BYTES`, each followed by its bytes.
 */
#include "stand-in.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much faster than it was recorded. */
enum { FASTER = 20 };

static const char summary[] = "Summary logged in ";

struct text read_file(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return (struct text){NULL, 0};
    must(file >= 0 && fstat(file, &status) == 0, path);
    size_t size = (size_t)status.st_size;
    struct text text = {calloc(size + 1, 1), size};
    must(text.bytes != NULL && read(file, text.bytes, size) == (ssize_t)size, path);
    close(file);
    return text;
}

void print(int stream, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(stream, bytes, length);
        must(count >= 0, "write output");
        bytes += count;
        length -= (size_t)count;
    }
}

void say(int stream, const char *text)
{
    print(stream, text, strlen(text));
}

/* The line at *at, which then stands behind it. */
static bool take_line(const char **at, const char *end, char *line, size_t size)
{
    const char *newline = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    if (newline == NULL)
        return false;
    snprintf(line, size, "%.*s", (int)(newline - *at), *at);
    *at = newline + 1;
    return true;
}

static bool is_generated(const char *name)
{
    return strcmp(name, "main.gpr") == 0 || strcmp(name, "main.adc") == 0;
}

/* The next statement of a generated file: comments, blank lines and indentation say nothing. */
static bool take_statement(const char **at, const char *end, char *line, size_t size)
{
    while (take_line(at, end, line, size)) {
        size_t indentation = strspn(line, " ");
        memmove(line, line + indentation, strlen(line + indentation) + 1);
        if (line[0] != '\0' && strncmp(line, "--", 2) != 0)
            return true;
    }
    return false;
}

static bool same_statements(struct text a, struct text b)
{
    char one[1024], other[1024];
    const char *at_a = a.bytes, *at_b = b.bytes;
    for (;;) {
        bool more = take_statement(&at_a, a.bytes + a.length, one, sizeof one);
        if (more != take_statement(&at_b, b.bytes + b.length, other, sizeof other))
            return false;
        if (!more || strcmp(one, other) != 0)
            return !more;
    }
}

/* A project whose sources are recorded comes with the recorded project files, or something is wrong. */
static bool is_here(const char *name, struct text recorded)
{
    struct text here = read_file(name);
    if (here.bytes == NULL)
        return false;
    if (!is_generated(name))
        return here.length == recorded.length && memcmp(here.bytes, recorded.bytes, here.length) == 0;
    if (!same_statements(here, recorded))
        refuse_as(name, "it does not say what it said in the recording");
    return true;
}

static bool fits(struct text recording, const struct request *request)
{
    char line[1024], name[256];
    size_t length;
    int flow, report_all;
    const char *at = recording.bytes, *end = at + recording.length;
    if (sscanf(at, "flow %d report-all %d", &flow, &report_all) != 2)
        refuse_as("recording", at);
    if (flow != request->flow || report_all != request->report_all)
        return false;
    while (take_line(&at, end, line, sizeof line) && strncmp(line, "chunk ", 6) != 0) {
        if (sscanf(line, "file %255s %zu", name, &length) != 2)
            continue;
        if (!is_here(name, (struct text){(char *)at, length}))
            return false;
        at += length;
    }
    return true;
}

struct text find_recording(const struct request *request)
{
    struct dirent *entry;
    DIR *recordings = opendir(RECORDINGS);
    must(recordings != NULL, RECORDINGS);
    while ((entry = readdir(recordings)) != NULL) {
        char path[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", RECORDINGS, entry->d_name);
        struct text recording = read_file(path);
        if (fits(recording, request))
            return recording;
        free(recording.bytes);
    }
    refuse_as("project", "no gnatprove was recorded with it");
}

/* The recording has no path of its machine; a real gnatprove names the folder in this one place. */
static void print_chunk(int stream, const char *bytes, size_t length)
{
    size_t start = sizeof summary - 1;
    if (length > start && memcmp(bytes, summary, start) == 0) {
        say(stream, summary);
        say(stream, folder());
        say(stream, "/");
        bytes += start;
        length -= start;
    }
    print(stream, bytes, length);
}

int replay(struct text recording)
{
    char line[1024], stream[16];
    const char *at = recording.bytes, *end = at + recording.length;
    size_t length;
    long ms, now_ms = 0;
    int status = REFUSED;
    while (take_line(&at, end, line, sizeof line)) {
        if (sscanf(line, "file %*s %zu", &length) == 1) {
            at += length;
        } else if (sscanf(line, "chunk %ld %15s %zu", &ms, stream, &length) == 3) {
            sleep_ms((ms - now_ms) / FASTER);
            now_ms = ms;
            print_chunk(strcmp(stream, "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO, at, length);
            at += length;
        } else {
            sscanf(line, "status %d", &status);
        }
    }
    return status;
}
