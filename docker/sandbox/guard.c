/*
 * Preloaded into programs. Gives refused calls an error message, sets line buffering for C and C++, and emulates a
 * refused rename. No protection depends on it: the kernel's filters do that (launcher/confine.c).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The pipes of stdout and stderr. */
static struct stat streams[2];

/*
 * Makes stdout line-buffered, because the C library buffers 4 KiB for a pipe, which a killed program loses. Ada's
 * library writes each line anyway. A program's own setvbuf still has effect. With a line-buffered stdin the library
 * flushes prompts.
 */
__attribute__((constructor)) static void write_lines_at_once(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IOLBF, 0);
    for (int i = 0; i < 2; i++)
        fstat(STDOUT_FILENO + i, &streams[i]);
}

/* Same for streams opened by name, such as /dev/stderr. O_DIRECT keeps the order of writes (launcher/streams.c). */
static FILE *show_at_once(FILE *file)
{
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0)
        return file;
    for (int i = 0; i < 2; i++) {
        if (status.st_ino != streams[i].st_ino || status.st_dev != streams[i].st_dev)
            continue;
        setvbuf(file, NULL, _IOLBF, 0);
        fcntl(fileno(file), F_SETFL, fcntl(fileno(file), F_GETFL) | O_DIRECT);
    }
    return file;
}

#define SHOW(name, arguments, ...)                                                                                     \
    FILE *name arguments                                                                                               \
    {                                                                                                                  \
        FILE *(*real)arguments = dlsym(RTLD_NEXT, #name);                                                              \
        return show_at_once(real(__VA_ARGS__));                                                                        \
    }

SHOW(fopen, (const char *path, const char *mode), path, mode)
SHOW(fopen64, (const char *path, const char *mode), path, mode)
SHOW(fdopen, (int file, const char *mode), file, mode)
SHOW(freopen, (const char *path, const char *mode, FILE *file), path, mode, file)
SHOW(freopen64, (const char *path, const char *mode, FILE *file), path, mode, file)

/* Flushes stdout before the program ends. An unfinished line gets a line end, or it would follow later lines. */
static void show_rest(void)
{
    if (__fpending(stdout) == 0)
        return;
    putc_unlocked('\n', stdout);
    fflush_unlocked(stdout);
}

_Noreturn void abort(void)
{
    void (*real)(void) = dlsym(RTLD_NEXT, "abort");
    show_rest();
    real();
    __builtin_unreachable();
}

_Noreturn void __assert_fail(const char *what, const char *file, unsigned line, const char *function)
{
    void (*real)(const char *, const char *, unsigned, const char *) = dlsym(RTLD_NEXT, "__assert_fail");
    show_rest();
    real(what, file, line, function);
    __builtin_unreachable();
}

/*
 * Replaces std::ios_base::sync_with_stdio, and does nothing. Otherwise std::cout could get its own buffer, which a
 * killed program loses. The result means that std::cout and stdout were synchronised.
 */
bool keep_synchronised(bool) __asm__("_ZNSt8ios_base15sync_with_stdioEb");
bool keep_synchronised(bool wanted)
{
    (void)wanted;
    return true;
}

/* Ends the program without its exit handlers. */
static _Noreturn void refuse(const char *message)
{
    show_rest();
    ssize_t ignored = write(STDERR_FILENO, message, strlen(message));
    (void)ignored;
    _exit(1);
}

/* Defines a function that refuses. It ignores its arguments, so its type need not be that of the C library. */
#define REFUSE(name)                                                                                                   \
    _Noreturn void refuse_##name(void) __asm__(#name);                                                                 \
    _Noreturn void refuse_##name(void)                                                                                 \
    {                                                                                                                  \
        refuse(#name " not allowed\n");                                                                                \
    }

REFUSE(fork)
REFUSE(_Fork)
REFUSE(vfork)
REFUSE(clone)
REFUSE(daemon)
REFUSE(forkpty)
REFUSE(system)
REFUSE(popen)
REFUSE(wordexp)
REFUSE(posix_spawn)
REFUSE(posix_spawnp)
REFUSE(pidfd_spawn)
REFUSE(pidfd_spawnp)
REFUSE(execl)
REFUSE(execle)
REFUSE(execlp)
REFUSE(execv)
REFUSE(execve)
REFUSE(execvp)
REFUSE(execvpe)
REFUSE(execveat)
REFUSE(fexecve)

static int move(const char *from, const char *to, unsigned flags)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static bool are_two_own_files(const char *one, const char *other)
{
    struct stat first, second;
    return lstat(one, &first) == 0 && lstat(other, &second) == 0 && S_ISREG(first.st_mode) && S_ISREG(second.st_mode) &&
           first.st_uid == geteuid() && second.st_uid == geteuid() && first.st_ino != second.st_ino;
}

/*
 * Under gVisor a program may not rename to an existing file (launcher/confine.c), so it removes its own file first.
 * Elsewhere the first call of move() decides.
 */
int rename(const char *from, const char *to)
{
    int result = move(from, to, 0);
    if (result == 0 || errno != EPERM)
        return result;
    result = move(from, to, RENAME_NOREPLACE);
    if (result == 0 || errno != EEXIST)
        return result;
    if (!are_two_own_files(from, to)) {
        errno = EPERM;
        return -1;
    }
    return unlink(to) == 0 ? move(from, to, RENAME_NOREPLACE) : -1;
}
