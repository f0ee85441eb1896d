/** Hostile programs: their common header, and the attacks that run them. */
import type { OutputItem } from '@code-widgets/protocol';

import { text, type RunRequest, type RunResult } from '../../helpers/client.js';
import { held, made, type Attack } from './attack.js';
import type { World } from './world.js';

export interface SourceFile {
  basename: string;
  contents: string;
}

/**
 * attack.h: `trying` reports that the attack is made. `through` reports an effect inside the program. `appear`
 * makes a forbidden process visible: by its name on the host, and by its output to the client.
 * GVISOR is defined if the program has its own kernel: there an opened file or a changed number is no effect
 * yet.
 */
const header = (token: string, gvisor: boolean): SourceFile => ({
  basename: 'attack.h',
  contents: `${gvisor ? '#define GVISOR\n' : ''}#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define TOKEN "${token}"
static char *none[] __attribute__((unused)) = {NULL};
static void __attribute__((unused)) say(const char *word, const char *what) {
  char line[512];
  int length = snprintf(line, sizeof line, "%s " TOKEN " %s\\n", word, what);
  write(1, line, length < (int)sizeof line ? length : (int)sizeof line - 1);
}
/* The program's own stdout or stderr, which gVisor shows among the launcher's descriptors as well. */
static int __attribute__((unused)) is_own(int file) {
  struct stat one, other;
  for (int fd = 1; fd < 3; fd++)
    if (fstat(file, &one) == 0 && fstat(fd, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev) return 1;
  return 0;
}
static void __attribute__((unused)) trying(void) { say("trying", ""); }
static void __attribute__((unused)) through(const char *what) { say("through", what); }
static void __attribute__((unused)) appear(void) {
  prctl(PR_SET_NAME, TOKEN);
  say("through", "another process");
  usleep(300000);
}
static void __attribute__((unused)) forked(long pid) {
  if (pid == 0) { appear(); syscall(SYS_exit_group, 0); }
  if (pid > 0) usleep(400000);
}
`,
});

/** Sources by their names, as a function of the running world. */
export type Sources = string | ((world: World, token: string) => string | SourceFile[]);

export interface ProgramOptions {
  /** Further files of the request. */
  files?: SourceFile[];
  request?: Partial<RunRequest>;
  /**
   * How the attack proves that it was made. `run`: the program reports it. `build`: the compiler got the source
   * and may refuse it. `refusal`: the compiler must refuse it under ADA_RESTRICTIONS=original. `linker`: it
   * must always be refused.
   */
  at?: 'run' | 'build' | 'refusal' | 'linker';
  /** The only architecture of the attack's machine code. */
  architecture?: NodeJS.Architecture;
  /** A further check for effects of this attack only. */
  look?: (seen: Seen, world: World, token: string) => void | Promise<void>;
}

export interface Seen extends RunResult {
  stdout: string;
  stderr: string;
  /** Time from the request to the end, in ms. */
  ms: number;
}

/** An attack by a C program, main.c, that includes attack.h. */
export function c(name: string, tries: string, source: Sources, options: ProgramOptions = {}): Attack {
  return program(
    name,
    tries,
    (world, token) => {
      const written = typeof source === 'string' ? source : source(world, token);
      const files =
        typeof written === 'string' ? [{ basename: 'main.c', contents: `#include "attack.h"\n${written}` }] : written;
      return [header(token, world.gvisor), ...files];
    },
    { ...options, request: { main: 'main.c', ...options.request } },
  );
}

/** An attack by an Ada program, main.adb, whose argument is the token. */
export function ada(name: string, tries: string, source: Sources, options: ProgramOptions = {}): Attack {
  return program(
    name,
    tries,
    (world, token) => {
      const written = typeof source === 'string' ? source : source(world, token);
      return typeof written === 'string' ? [{ basename: 'main.adb', contents: written }] : written;
    },
    options,
  );
}

/** An Ada main program that reports the attempt before it makes it. */
export const adaMain = (statements: string, declarations = '', withs = ''): string =>
  `with Ada.Text_IO; use Ada.Text_IO;
with Ada.Command_Line; use Ada.Command_Line;
${withs}
procedure Main is
${declarations}
begin
   Put_Line ("trying " & Argument (1));
   Flush;
${statements}
end Main;
`;

function program(
  name: string,
  tries: string,
  sources: (world: World, token: string) => SourceFile[],
  { files = [], request = {}, at = 'run', look, architecture }: ProgramOptions,
): Attack {
  return {
    name,
    tries,
    ...(architecture && { architecture }),
    async attack(world, token) {
      const begin = performance.now();
      const result = await world.run(token, { mode: 'run', files: [...sources(world, token), ...files], ...request });
      const [stdout, stderr] = [text(result, 'stdout'), text(result, 'stderr')];
      const refused = stderr.includes('Build failed with error code');
      if (at === 'run') made(stdout.includes(`trying ${token}`), stderr.slice(0, 500) || stdout.slice(0, 500));
      const mustRefuse = at === 'linker' || (at === 'refusal' && world.restricted);
      if (mustRefuse) held(refused, `it was built: ${stdout.slice(0, 500)}`);
      if (at === 'build' || (at === 'refusal' && !world.restricted))
        made(refused || stdout.includes('Build completed'), stderr.slice(0, 500));
      await look?.({ ...result, stdout, stderr, ms: performance.now() - begin }, world, token);
    },
  };
}

/** Items of one lab case. */
export const itemsOf = (output: readonly OutputItem[], ref: string) => output.filter((item) => item.ref === ref);
