/* The files of a step, on the container's only writable file system (the tmpfs at /workspace). */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * Folders of root's, open to all and sticky: a command may create files and do as it likes with
 * them, but not rename, replace or remove one that is not its own. What a program is given is
 * root's and so stays as it is; the sources of a build are the builder's own. Under gVisor the
 * engine has made one of them, for a mount in it.
 */
static void make_folder(const char *path)
{
    if ((mkdir(path, 0700) != 0 && errno != EEXIST) || chmod(path, 01777) != 0)
        die(path);
}

/* Copies one of the image's tables to where /etc has a link to, with a line for the program's user. */
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
 * The container was made before it was known how much would be sent. What is free beyond `bytes` goes
 * to a file of root's without a name, which is there as long as the launcher. No file is received after it.
 */
void leave_room(uint32_t bytes)
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
 * The build's result is whatever a hostile build left under that name: no link is followed, no
 * pipe waited for, nothing sent but the bytes of a regular file that all may read. Whatever else
 * it is, is not sent, and the worker knows that there is no executable.
 */
void send_executable(const char *name)
{
    static unsigned char buffer[FRAME_BYTES];
    struct stat status;
    int file = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= EXECUTABLE_BYTES) {
        off_t left = status.st_size; /* a process left over may still make it longer */
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
