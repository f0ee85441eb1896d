/*
 * Whether the kernel killed anything in this container for want of memory. The command's own
 * status does not tell: where a compiler's or prover's child is killed, it may end with 1.
 */
#include "launcher.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A counter's line starts with its name and a space. False too where there is no such file. */
static bool counts_kills(const char *path)
{
    char text[1024];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length < 0)
        return false;
    text[length] = '\0';
    const char *counter = strstr(text, "\noom_kill ");
    return counter && strtoul(counter + strlen("\noom_kill "), NULL, 10) > 0;
}

bool ran_out_of_memory(void)
{
    return counts_kills("/sys/fs/cgroup/memory.events") ||           /* cgroup v2 */
           counts_kills("/sys/fs/cgroup/memory/memory.oom_control"); /* cgroup v1 */
}
