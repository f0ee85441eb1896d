/* What a proof finds, and what it leaves: the folder, the semaphore, the results. */
#include "stand-in.h"

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESULT_FILES = 24, RESULT_BYTES = 16 * 1024 };

const char *folder(void)
{
    static char path[PATH_BYTES];
    must(getcwd(path, sizeof path) != NULL, "getcwd");
    return path;
}

static void must_be_folder(const char *variable)
{
    const char *value = getenv(variable);
    if (value == NULL || strcmp(value, folder()) != 0)
        refuse_as(variable, "it is not the project's folder");
}

static bool is_number(const char *name)
{
    return strspn(name, "0123456789") == strlen(name);
}

/* A proof starts with nobody else: its launcher, itself, and what it was told to prove. */
static void check_nothing_is_left(void)
{
    struct dirent *entry;
    DIR *processes = opendir("/proc");
    must(processes != NULL, "open /proc");
    while ((entry = readdir(processes)) != NULL)
        if (is_number(entry->d_name) && atoi(entry->d_name) != 1 && atoi(entry->d_name) != getpid())
            refuse_as(entry->d_name, "a process of another proof");
    closedir(processes);

    DIR *shared = opendir("/dev/shm");
    must(shared != NULL, "open /dev/shm");
    while ((entry = readdir(shared)) != NULL)
        if (entry->d_name[0] != '.')
            refuse_as(entry->d_name, "left in /dev/shm by another proof");
    closedir(shared);

    DIR *here = opendir(".");
    must(here != NULL, "open the folder");
    while ((entry = readdir(here)) != NULL) {
        struct stat status;
        must(lstat(entry->d_name, &status) == 0, "lstat");
        if (!S_ISREG(status.st_mode) && entry->d_name[0] != '.')
            refuse_as(entry->d_name, "left in the folder by another proof");
    }
    closedir(here);
}

void check_surroundings(void)
{
    must_be_folder("HOME");
    must_be_folder("TMPDIR");
    must(access(".", R_OK | W_OK | X_OK) == 0, "write to the folder");
    must(access("main.gpr", R_OK) == 0, "main.gpr");
    check_nothing_is_left();
}

/* gnatprove's name depends on the folder's path alone, so two proofs would meet in one /dev/shm. */
static const char *semaphore_name(void)
{
    static char name[64];
    unsigned hash = 5381;
    for (const char *at = folder(); *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    snprintf(name, sizeof name, "/gnatprove%u", hash);
    return name;
}

/* The C library makes it under another name and then link()s it. */
void make_semaphore(void)
{
    sem_t *semaphore = sem_open(semaphore_name(), O_CREAT | O_EXCL, 0600, 1);
    must(semaphore != SEM_FAILED, "make a semaphore");
    must(sem_close(semaphore) == 0, "close the semaphore");
}

void use_semaphore(void)
{
    sem_t *semaphore = sem_open(semaphore_name(), 0);
    must(semaphore != SEM_FAILED, "open the semaphore");
    must(sem_wait(semaphore) == 0, "wait for the semaphore");
    must(sem_post(semaphore) == 0, "post the semaphore");
    must(sem_close(semaphore) == 0, "close the semaphore");
}

void remove_semaphore(void)
{
    must(sem_unlink(semaphore_name()) == 0, "remove the semaphore");
}

/* As much as a proof of a small project left: 0.2 to 0.5 MiB in a few dozen files. */
void write_results(void)
{
    static char zeros[RESULT_BYTES];
    must(mkdir("gnatprove", 0777) == 0, "make the folder gnatprove");
    for (int i = 0; i < RESULT_FILES; i++) {
        char path[64];
        snprintf(path, sizeof path, "gnatprove/unit_%d.gnat-json", i);
        int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        must(file >= 0, path);
        must(write(file, zeros, sizeof zeros) == sizeof zeros, path);
        must(close(file) == 0, path);
    }
    must(rename("gnatprove/unit_0.gnat-json", "gnatprove/gnatprove.out") == 0, "rename a result");
}
