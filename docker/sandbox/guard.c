/*
 * Preloaded into programs: what would start another process ends the program with words that say
 * so, and a refused rename is made in steps that are not. Nothing relies on it; what cannot be gone
 * around is the kernel's filter, which the launcher sets (launcher/confine.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* write and _exit alone: nothing is lost in a buffer, no handler of the program's runs. */
static _Noreturn void refuse(const char *message)
{
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
