/* The proof server, which starts provers for whoever asks over its socket; its client; a prover. */
#include "stand-in.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, RETRY_MS = 10 };
/* What cvc5 is allowed at level 0: 1,000 MB of address space, 1 s. */
enum { PROVER_SECONDS = 1, PROVER_MIB = 1000, TOUCHED_MIB = 20, MIB = 1 << 20 };

static const char question[] = "prove\n";
static const char answer[] = "unsat\n";

static struct sockaddr_un server_address(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *where = getenv("TMPDIR");
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/why3server.sock", where ? where : ".");
    if (length >= (int)sizeof address.sun_path)
        refuse_as("TMPDIR", "too long for a socket's path");
    return address;
}

/* Limits are set by the parent between fork and exec, as the real server does. */
static pid_t start_prover(int output)
{
    pid_t pid = fork();
    must(pid >= 0, "fork a prover");
    if (pid > 0)
        return pid;
    struct rlimit seconds = {PROVER_SECONDS, PROVER_SECONDS + 1};
    struct rlimit bytes = {(rlim_t)PROVER_MIB * 1000 * 1000, (rlim_t)PROVER_MIB * 1000 * 1000};
    must(setpgid(0, 0) == 0, "setpgid of a prover");
    must(prlimit(0, RLIMIT_CPU, &seconds, NULL) == 0, "prlimit of its time");
    must(prlimit(0, RLIMIT_AS, &bytes, NULL) == 0, "prlimit of its memory");
    must(dup2(output, STDOUT_FILENO) >= 0, "dup2");
    execl(HELPERS "/cvc5", HELPERS "/cvc5", (char *)NULL);
    refuse("cvc5");
}

/* One prover, asked, heard and killed with its group: it would go on. */
static void prove_for(int client)
{
    char text[sizeof answer];
    int ends[2];
    must(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    pid_t prover = start_prover(ends[1]);
    close(ends[1]);
    ssize_t count = read(ends[0], text, sizeof text);
    must(count >= 0, "read from a prover");
    close(ends[0]);
    if (count > 0)
        must(kill(-prover, SIGKILL) == 0, "kill a prover's group");
    int end = end_of(prover);
    if (!WIFSIGNALED(end) || WTERMSIG(end) != SIGKILL)
        refuse_as("cvc5", "it failed");
    must(send(client, text, (size_t)count, 0) == count, "send an answer");
}

_Noreturn void be_server(void)
{
    struct sockaddr_un address = server_address();
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 8) == 0, "listen");
    for (;;) {
        char text[sizeof question];
        int client = accept(listener, NULL, NULL);
        must(client >= 0, "accept");
        /* Or a prover that outlives a failing server would keep its client waiting. */
        must(fcntl(client, F_SETFD, FD_CLOEXEC) == 0, "fcntl");
        if (recv(client, text, sizeof text, 0) > 0)
            prove_for(client);
        close(client);
    }
}

/* The server was started a moment ago, and may not listen yet. */
static int connect_to_server(void)
{
    struct sockaddr_un address = server_address();
    for (int waited = 0;; waited += RETRY_MS) {
        int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(connection >= 0, "socket");
        if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0)
            return connection;
        if ((errno != ENOENT && errno != ECONNREFUSED) || waited > PATIENCE_MS)
            refuse("connect");
        close(connection);
        sleep_ms(RETRY_MS);
    }
}

void ask_server(void)
{
    char text[sizeof answer] = "";
    int connection = connect_to_server();
    must(send(connection, question, sizeof question - 1, 0) == sizeof question - 1, "send a question");
    if (recv(connection, text, sizeof text - 1, MSG_WAITALL) < 0)
        refuse("receive an answer");
    if (strcmp(text, answer) != 0)
        refuse_as("why3server", "it gave no answer");
    close(connection);
}

static void *work(void *unused)
{
    (void)unused;
    char *memory = malloc((size_t)TOUCHED_MIB * MIB);
    must(memory != NULL, "allocate memory");
    memset(memory, 1, (size_t)TOUCHED_MIB * MIB);
    return memory;
}

_Noreturn void be_prover(void)
{
    cpu_set_t processors;
    pthread_t thread;
    void *memory;
    must(sched_getaffinity(0, sizeof processors, &processors) == 0, "sched_getaffinity");
    must(sched_setaffinity(0, sizeof processors, &processors) == 0, "sched_setaffinity");
    must(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}) == 0, "sched_setscheduler");
    errno = pthread_create(&thread, NULL, work, NULL);
    must(errno == 0, "start a thread");
    errno = pthread_join(thread, &memory);
    must(errno == 0 && memory != NULL, "join a thread");
    must(write(STDOUT_FILENO, answer, sizeof answer - 1) == sizeof answer - 1, "answer");
    for (;;)
        pause();
}
