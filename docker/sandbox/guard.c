/*
 * Preloaded into programs. It gives a refusal its words, shows lines of C and C++ as soon as they are
 * printed, and makes a refused rename in steps that are allowed. No protection depends on it: that is
 * the kernel's filter, which the launcher sets (launcher/confine.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The C library buffers a stdout that is a pipe until 4 KiB are full, and a program that is killed
 * loses them. Ada's library writes each line at once by itself. A program's own setvbuf comes later
 * and so prevails.
 */
__attribute__((constructor)) static void write_lines_at_once(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
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

/* Shows what was printed, then ends the program without running any handler of its own. */
static _Noreturn void refuse(const char *message)
{
    fflush_unlocked(stdout);
    ssize_t ignored = write(STDERR_FILENO, message, strlen(message));
    (void)ignored;
    _exit(1);
}

/* The arguments do not matter, nor that the C library declares other types for these names. */
#define REFUSE(name)                              \
    _Noreturn void refuse_##name(void) __asm__(#name); \
    _Noreturn void refuse_##name(void) { refuse(#name " not allowed\n"); }

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
