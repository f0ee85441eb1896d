/*
 * Preloaded into programs. It gives a refusal its words, shows lines of C and C++ as soon as they are
 * printed, and makes a refused rename in steps that are allowed. No protection depends on it: that is
 * the kernel's filter, which the launcher sets (launcher/confine.c).
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

/* What stdout and stderr were at first; the launcher has made both. */
static struct stat streams[2];

/*
 * The C library buffers a stdout that is a pipe until 4 KiB are full, and a program that is killed
 * loses them. Ada's library writes each line at once by itself. A program's own setvbuf comes later
 * and so prevails. With stdin by lines as well, the library shows a prompt before it reads.
 */
__attribute__((constructor)) static void write_lines_at_once(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IOLBF, 0);
    for (int i = 0; i < 2; i++)
        fstat(STDOUT_FILENO + i, &streams[i]);
}

/* The same for a stream that is opened by name, such as /dev/stderr; O_DIRECT keeps order (launcher/streams.c). */
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

/* Calls the C library's function of that name. */
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

/* Shows what was printed before the program ends: a part of a line gets an end, or it would come after later lines. */
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
 * std::ios_base::sync_with_stdio: refused, or std::cout would have a buffer of its own, which is lost
 * when the program is killed. The answer says that they are synchronised.
 */
bool keep_synchronised(bool) __asm__("_ZNSt8ios_base15sync_with_stdioEb");
bool keep_synchronised(bool wanted)
{
    (void)wanted;
    return true;
}

/* Ends the program without running any handler of its own. */
static _Noreturn void refuse(const char *message)
{
    show_rest();
    ssize_t ignored = write(STDERR_FILENO, message, strlen(message));
    (void)ignored;
    _exit(1);
}

/* The arguments do not matter, nor that the C library declares other types for these names. */
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
 * Under gVisor a program may rename only to what is not there (launcher/confine.c), and so has to
 * remove a file of its own first. Elsewhere the first attempt says all.
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
