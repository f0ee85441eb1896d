/*
 * Finds out whether the kernel killed a process of this container because memory ran out. The command's status does not
 * tell: a compiler whose child was killed may exit with 1.
 */
#include "launcher.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the file counts a kill. Its lines are `name value`. False if there is no such file. */
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
