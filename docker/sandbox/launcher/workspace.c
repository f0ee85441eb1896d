/* The files of a job, in the container's only writable file system (a tmpfs at /workspace). */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * Sticky and writable for all: a command can create files, but not rename, replace or remove those of another user.
 * Under gVisor SCRATCH exists already (a mount is in it, gvisor.ts).
 */
static void make_folder(const char *path)
{
    if ((mkdir(path, 0700) != 0 && errno != EEXIST) || chmod(path, 01777) != 0)
        die(path);
}

/*
 * Copies the image's passwd or group file to `path`, where the symlink in /etc points, and appends a line for the
 * program's user.
 */
static void name_user(const char *table, const char *path, const char *line, uid_t user)
{
    char text[4096];
    int from = open(table, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (from < 0 || to < 0)
        die(path);
    ssize_t length = read(from, text, sizeof text);
    if (length < 0 || write(to, text, (size_t)length) != length || dprintf(to, line, user, user) < 0)
        die(path);
    close(from);
    close(to);
}

void make_workspace(enum confinement confinement, uid_t user)
{
    make_folder(WORKSPACE);
    make_folder(SCRATCH);
    if (chmod("/workspace", 0755) != 0 || chdir(WORKSPACE) != 0)
        die("/workspace");
    umask(022);
    if (confinement == TOOL) {
        /*
         * Sources belong to the builder, except under gVisor, which has no setfsuid. A program's files belong to root.
         */
        setfsgid(user);
        setfsuid(user);
        return;
    }
    name_user(TABLES "/passwd", "/workspace/passwd", "runner:x:%u:%u::" SCRATCH ":/usr/sbin/nologin\n", user);
    name_user(TABLES "/group", "/workspace/group", "runner:x:%u:\n", user);
}

void receive_file(const char *name, size_t length, bool executable)
{
    static unsigned char buffer[FRAME_BYTES];
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        die("create file");
    while (length > 0) {
        size_t part = length < sizeof buffer ? length : sizeof buffer;
        receive_bytes(buffer, part);
        for (size_t done = 0; done < part;) {
            ssize_t count = write(file, buffer + done, part - done);
            if (count < 0)
                die("write file");
            done += (size_t)count;
        }
        length -= part;
    }
    if (fchmod(file, executable ? 0555 : 0644) != 0 || close(file) != 0)
        die("finish file");
}

/*
 * Leaves at most `bytes` for the command: a filler file takes the rest. (The tmpfs got its size before the sent files
 * were known.) The filler is unlinked but never closed, so it lasts as long as the launcher. Receive all files before.
 */
void limit_free_space(uint32_t bytes)
{
    static const unsigned char zeros[FRAME_BYTES];
    struct statvfs space;
    setfsuid(0);
    setfsgid(0);
    int file = open("/workspace/.room", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || unlink("/workspace/.room") != 0 || fstatvfs(file, &space) != 0)
        die("leave room");
    uint64_t free_bytes = (uint64_t)space.f_bfree * space.f_frsize;
    while (free_bytes > bytes) {
        size_t part = free_bytes - bytes < sizeof zeros ? (size_t)(free_bytes - bytes) : sizeof zeros;
        ssize_t count = write(file, zeros, part);
        if (count <= 0)
            die("leave room");
        free_bytes -= (uint64_t)count;
    }
}

/*
 * A hostile build may have left anything under this name. So the launcher follows no link, waits for no pipe, and sends
 * only a regular file that all may read. Without one the worker sees that there is no executable.
 */
void send_executable(const char *name)
{
    static unsigned char buffer[FRAME_BYTES];
    struct stat status;
    int file = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= EXECUTABLE_BYTES) {
        off_t left = status.st_size; /* a remaining process may still extend it */
        while (left > 0) {
            ssize_t count = read(file, buffer, left < FRAME_BYTES ? (size_t)left : FRAME_BYTES);
            if (count <= 0)
                break;
            send_frame(EXECUTABLE, buffer, (size_t)count);
            left -= count;
        }
    }
    close(file);
}
