/*
 * The pipes of the command's stdout and stderr, which keep the order of writes to both.
 *
 * Each pipe is one page large and in packet mode (O_DIRECT, pipe(2)), so it holds one write. The next write waits until
 * that one is read. Edge-triggered epoll, one event at a time, reports writes in order.
 *
 * Each write costs two context switches. So a stream with many writes in a row gets a large ordinary pipe for a short
 * time (a bulk read). Meanwhile a packet of the launcher fills the other pipe. A write to that stream waits until the
 * launcher has read everything before it.
 *
 * If a command alternates between the streams very often, order is given up: both pipes become large and ordinary.
 *
 * gVisor has no packet mode. Its pipes are ordinary, and only writes some time apart keep their order.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SMALL_PIPE_BYTES = 1, LARGE_PIPE_BYTES = 64 * 1024 }; /* the kernel rounds up to a page */
enum { PAUSE_US = 500 };                                     /* between bulk reads */

static bool resize(const struct stream *stream, int bytes)
{
    return fcntl(stream->from, F_SETPIPE_SZ, bytes) >= 0;
}

/* The flag belongs to the open file description, which the launcher and the command share. */
static void set_packets(const struct stream *stream, bool packets)
{
    int flags = fcntl(stream->command, F_GETFL);
    if (flags < 0 || fcntl(stream->command, F_SETFL, packets ? flags | O_DIRECT : flags & ~O_DIRECT) != 0)
        die("packets");
}

/* Another open file description of the write end: non-blocking, while the command's stays blocking. */
static int open_blocking_end(int command)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", command);
    int blocking_end = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (blocking_end < 0 || fcntl(blocking_end, F_SETFL, O_NONBLOCK | O_DIRECT) != 0)
        die("blocking end");
    return blocking_end;
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
    if (packets && resize(&stream, SMALL_PIPE_BYTES))
        stream.blocking_end = open_blocking_end(stream.command);
    return stream;
}

/* Reads one write of the command, or everything in an ordinary pipe. Negative: nothing to read. */
ssize_t read_stream(struct stream *stream, unsigned char *buffer, size_t length)
{
    ssize_t count;
    do
        count = read(stream->from, buffer, length);
    while (count < 0 && errno == EINTR);
    return count;
}

/* Whether more can be read: one event of epoll may stand for several writes. */
bool has_more(const struct stream *stream)
{
    int bytes = 0;
    return ioctl(stream->from, FIONREAD, &bytes) == 0 && bytes > 0;
}

static bool enlarge(const struct stream *stream)
{
    if (!resize(stream, LARGE_PIPE_BYTES))
        return false;
    set_packets(stream, false);
    return true;
}

/* False if there is a write in the other pipe, or the kernel refuses a larger pipe. */
bool begin_bulk(struct stream *busy, struct stream *other)
{
    if (busy->blocking_end < 0 || other->blocking_end < 0 || write(other->blocking_end, "", 1) != 1)
        return false;
    if (enlarge(busy))
        return true;
    unblock(other);
    return false;
}

void give_up_order(const struct stream streams[STREAMS])
{
    for (int stream = 0; stream < STREAMS; stream++)
        if (streams[stream].blocking_end >= 0)
            enlarge(&streams[stream]);
}

/* Waits a moment to need fewer and larger reads. Negative: nothing to read. */
ssize_t read_bulk(struct stream *busy, unsigned char *buffer, size_t length)
{
    const size_t packet = (size_t)sysconf(_SC_PAGESIZE); /* largest packet; a smaller buffer would lose its rest */
    size_t filled = 0;
    ssize_t count;
    usleep(PAUSE_US);
    while (length - filled >= packet && (count = read_stream(busy, buffer + filled, length - filled)) > 0)
        filled += (size_t)count;
    return filled > 0 ? (ssize_t)filled : -1;
}

/* Later writes are packets. Earlier ones may still grow, and must be read before the pipe can shrink. */
void end_bulk(struct stream *busy)
{
    set_packets(busy, true);
}

/* False if the pipe holds more than a small pipe can. */
bool shrink(struct stream *busy)
{
    return resize(busy, SMALL_PIPE_BYTES);
}

/*
 * Reads the launcher's packet, the first in the pipe. A program that reads its own pipe could take it, which spoils
 * only that program's output.
 */
void unblock(struct stream *other)
{
    unsigned char packet;
    read_stream(other, &packet, sizeof packet);
}
