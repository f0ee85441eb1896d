/*
 * The pipes of a command's stdout and stderr, read in the order in which they were written.
 *
 * Two pipes do not tell which of them was written first. So each pipe holds one write at a time: it
 * is one page large and in packet mode (O_DIRECT, pipe(2)), and a second write waits until the first
 * one is read. The launcher hears of writes through epoll, edge-triggered and one event at a time,
 * which keeps the order of the wake-ups.
 *
 * That is slow for a command that prints much: each line costs two context switches. So a stream
 * that is written many times in a row gets a large ordinary pipe for a moment, a burst. Meanwhile the
 * other pipe is plugged: the launcher has put a packet of its own into it. A command that writes to
 * the plugged stream waits until the launcher has read all that was written before.
 *
 * A command that changes streams very often loses the order in the end, or it would spend all of its
 * time in context switches: both pipes become large and ordinary.
 *
 * gVisor has no packets in pipes. There both pipes are ordinary ones, and order holds between lines
 * that are written some time apart.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NARROW_BYTES = 1, WIDE_BYTES = 64 * 1024 }; /* the kernel rounds up to a page */
enum { PAUSE_US = 500 };                           /* between two reads of a burst */

static bool resize(const struct stream *stream, int bytes)
{
    return fcntl(stream->from, F_SETPIPE_SZ, bytes) >= 0;
}

/* The flag belongs to the description that the command writes to, which the launcher has as well. */
static void set_packets(const struct stream *stream, bool packets)
{
    int flags = fcntl(stream->command, F_GETFL);
    if (flags < 0 || fcntl(stream->command, F_SETFL, packets ? flags | O_DIRECT : flags & ~O_DIRECT) != 0)
        die("packets");
}

/* A second description of the write end, since flags belong to a description: the command's stays blocking. */
static int open_plug(int command)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", command);
    int plug = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (plug < 0 || fcntl(plug, F_SETFL, O_NONBLOCK | O_DIRECT) != 0)
        die("plug");
    return plug;
}

struct stream make_stream(void)
{
    int ends[2];
    bool packets = pipe2(ends, O_CLOEXEC | O_DIRECT) == 0;
    if (!packets && (errno != EINVAL || pipe2(ends, O_CLOEXEC) != 0))
        die("pipe");
    struct stream stream = {ends[0], ends[1], -1};
    if (fcntl(stream.from, F_SETFL, O_NONBLOCK) != 0)
        die("pipe");
    if (packets && resize(&stream, NARROW_BYTES))
        stream.plug = open_plug(stream.command);
    return stream;
}

/* One write of the command's, or in an ordinary pipe all that is there. Negative: nothing is. */
ssize_t read_stream(struct stream *stream, unsigned char *buffer, size_t length)
{
    ssize_t count;
    do
        count = read(stream->from, buffer, length);
    while (count < 0 && errno == EINTR);
    return count;
}

/* True if an edge may have been for more than one write. */
bool has_more(const struct stream *stream)
{
    int bytes = 0;
    return ioctl(stream->from, FIONREAD, &bytes) == 0 && bytes > 0;
}

static bool widen(const struct stream *stream)
{
    if (!resize(stream, WIDE_BYTES))
        return false;
    set_packets(stream, false);
    return true;
}

/* False if the other stream has just been written, or the kernel gives no larger pipe. */
bool begin_burst(struct stream *flowing, struct stream *other)
{
    if (flowing->plug < 0 || other->plug < 0 || write(other->plug, "", 1) != 1)
        return false;
    if (widen(flowing))
        return true;
    unplug(other);
    return false;
}

void give_up_order(const struct stream streams[STREAMS])
{
    for (int stream = 0; stream < STREAMS; stream++)
        if (streams[stream].plug >= 0)
            widen(&streams[stream]);
}

/* What a moment has brought: few large reads rather than one for each line. Negative: nothing. */
ssize_t read_burst(struct stream *flowing, unsigned char *buffer, size_t length)
{
    const size_t packet = (size_t)sysconf(_SC_PAGESIZE); /* the largest; what does not fit would be lost */
    size_t filled = 0;
    ssize_t count;
    usleep(PAUSE_US);
    while (length - filled >= packet && (count = read_stream(flowing, buffer + filled, length - filled)) > 0)
        filled += (size_t)count;
    return filled > 0 ? (ssize_t)filled : -1;
}

/* From now on writes are packets. Those before may still grow: they are to be read before the pipe is narrowed. */
void end_burst(struct stream *flowing)
{
    set_packets(flowing, true);
}

/* False if more was written meanwhile than a narrow pipe holds. */
bool narrow(struct stream *flowing)
{
    return resize(flowing, NARROW_BYTES);
}

/*
 * Reads the launcher's own packet, which is the first in the pipe. A program that opens its own pipe
 * for reading can take it, and so spoil its own output.
 */
void unplug(struct stream *other)
{
    unsigned char packet;
    read_stream(other, &packet, sizeof packet);
}
