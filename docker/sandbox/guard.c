/*
 * Preloaded into programs: what would start another process ends the program with words that say
 * so. The words are all that this is for; what cannot be gone around is the kernel's filter, which
 * the launcher sets (launcher/confine.c).
 */
#include <string.h>
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
