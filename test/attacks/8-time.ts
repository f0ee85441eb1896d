/** Programs that do not end or leave processes behind: each must end at its limit. */
import { ada, adaMain, c, type Seen } from './lib/programs.js';
import { held, type Attack } from './lib/attack.js';
import { RUN_LIMIT_MS, type World } from './lib/world.js';

/** Time that the launcher, the engine and a busy machine may add to the limit. */
const SLACK_MS = 2000;

const endsAtLimit = async ({ status, identifier }: Seen, { service }: World): Promise<void> => {
  held(status === 124, `an end with ${status}`);
  const { runMs } = await service.lineOfEnd(identifier);
  held(Number(runMs) <= RUN_LIMIT_MS + SLACK_MS, `a run of ${Number(runMs)} ms`);
};
const stays = (name: string, tries: string, body: string, head = ''): Attack =>
  c(name, tries, `${head}int main(void) { trying(); ${body} for (;;) pause(); }`, { look: endsAtLimit });
const IGNORE_ALL = 'for (int s = 1; s < 65; s++) signal(s, SIG_IGN);';

export const attacks: Attack[] = [
  stays(
    'sleep through signals',
    'Ignores and blocks every signal that can be, and sleeps.',
    `${IGNORE_ALL} sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, NULL); for (;;) sleep(100);`,
  ),
  stays(
    'SIGTERM answered by work',
    'Answers each request to end by beginning anew.',
    'signal(SIGTERM, again); signal(SIGALRM, again); signal(SIGXCPU, again); alarm(1);',
    'static void again(int s) { signal(s, again); }\n',
  ),
  stays('SIGSTOP to itself', 'Stops itself, so that it neither runs nor ends.', 'kill(getpid(), SIGSTOP);'),
  stays(
    'SIGSTOP to its parent',
    'Stops its parent, its group and everybody else.',
    'kill(getppid(), SIGSTOP); kill(1, SIGSTOP); kill(-1, SIGTSTP); kill(0, SIGTTIN);',
  ),
  stays(
    'a daemon',
    'Forks twice into a session of its own, so that nobody is its parent.',
    'long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); if (pid == 0) { setsid(); if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) { appear(); for (;;) pause(); } _exit(0); } setsid();',
  ),
  c(
    'output closed',
    'Closes its output, so that it seems to have ended, and goes on.',
    'int main(void) { trying(); for (int i = 0; i < 1024; i++) close(i); for (;;) pause(); }',
    { look: endsAtLimit },
  ),
  stays(
    'a thread behind',
    'Ends its first thread and goes on in another.',
    'pthread_t t; pthread_create(&t, NULL, stay, NULL); syscall(SYS_exit, 0);',
    '#include <pthread.h>\nstatic void *stay(void *x) { for (;;) pause(); return x; }\n',
  ),
  stays(
    'timers and priorities',
    'Sets timers, takes the highest priority and a real-time class, and computes.',
    `setpriority(PRIO_PROCESS, 0, -20); struct sched_param p = {99}; if (sched_setscheduler(0, SCHED_FIFO, &p) == 0 || sched_setscheduler(0, SCHED_RR, &p) == 0) through("a real-time class");
#ifndef GVISOR /* which keeps the number and goes by none: what the host grants is looked at after all attacks */
     if (getpriority(PRIO_PROCESS, 0) < 0) through("a priority");
#endif
     struct sigevent e = {.sigev_notify = SIGEV_NONE}; timer_t t; struct itimerspec often = {{0, 1000}, {0, 1000}}; while (timer_create(CLOCK_MONOTONIC, &e, &t) == 0) timer_settime(t, 0, &often, NULL); for (;;) ;`,
    '#include <sched.h>\n#include <sys/resource.h>\n',
  ),
  ada(
    'Ada that catches all',
    'Handles every exception, attaches itself to signals, and aborts nothing.',
    adaMain(
      '   loop\n      begin\n         delay 100.0;\n      exception\n         when others => null;\n      end;\n   end loop;',
    ),
    { look: endsAtLimit },
  ),
  c(
    'a blocking wait',
    'Waits in the kernel for a lock, a pipe and a descriptor on which nothing ever happens.',
    'int main(void) { trying(); mkfifo("p", 0600); int f = open("main.c", O_RDONLY); int g = open("main.c", O_RDONLY); lockf(f, F_LOCK, 0); int p[2]; pipe(p); char x; (void)g; read(p[0], &x, 1); for (;;) pause(); }',
    { look: endsAtLimit },
  ),
  c(
    'vfork and a child that stays',
    'Starts a child whose parent waits for it in the kernel, and has the child stay.',
    'int main(void) { trying(); if (syscall(SYS_clone, 0x4100 | SIGCHLD, 0, 0, 0, 0) == 0) { appear(); for (;;) pause(); } for (;;) pause(); }',
    { look: endsAtLimit },
  ),
];
