/* Reads and writes frames on stdin and stdout. */
#include "launcher.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

uint32_t decode_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void encode_u32(unsigned char *bytes, uint32_t value)
{
    bytes[0] = (unsigned char)(value >> 24);
    bytes[1] = (unsigned char)(value >> 16);
    bytes[2] = (unsigned char)(value >> 8);
    bytes[3] = (unsigned char)value;
}

/* Exits if stdin ends: then the worker is gone, and the job is of no use. */
void receive_bytes(void *bytes, size_t length)
{
    unsigned char *to = bytes;
    while (length > 0) {
        ssize_t count = read(STDIN_FILENO, to, length);
        if (count == 0)
            _exit(0);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            die("read request");
        }
        to += count;
        length -= (size_t)count;
    }
}

static void advance(struct iovec *part, size_t *count)
{
    size_t taken = *count < part->iov_len ? *count : part->iov_len;
    part->iov_base = (char *)part->iov_base + taken;
    part->iov_len -= taken;
    *count -= taken;
}

void send_frame(enum sent type, const void *payload, size_t length)
{
    unsigned char header[5] = {(unsigned char)type};
    encode_u32(header + 1, (uint32_t)length);
    struct iovec parts[2] = {{header, sizeof header}, {(void *)payload, length}};
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        ssize_t count = writev(STDOUT_FILENO, parts, 2);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            die("write frame");
        }
        size_t left = (size_t)count;
        advance(&parts[0], &left);
        advance(&parts[1], &left);
    }
}
