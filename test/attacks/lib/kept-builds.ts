/** Attacks that look for a time or a file in another user's cached build. */
import { setTimeout as sleep } from 'node:timers/promises';

import { text } from '../../helpers/client.js';
import { held, made, type Attack } from './attack.js';
import type { SourceFile } from './programs.js';

/** Longer than one second, the resolution of a compiler's clock. */
const BETWEEN_MS = 1200;
/** A time of day, the numbers of /proc/uptime, or a container's name from /etc/hostname. */
const OF_ONE_BUILD = /\d\d:\d\d:\d\d|\d+\.\d\d \d+\.\d\d|\b[0-9a-f]{12}\b/;

/** Sends the same sources twice: the second build must not show when or where the first was made. */
export function builtTwice(
  name: string,
  tries: string,
  sources: readonly SourceFile[],
  { architecture }: Pick<Attack, 'architecture'> = {},
): Attack {
  return {
    name,
    tries,
    ...(architecture && { architecture }),
    async attack(world, token) {
      const [{ basename: main = '' } = {}] = sources;
      // The token makes the build unique to this run.
      const files = [...sources, { basename: 'token.txt', contents: token }];
      const seen = async () => {
        const result = await world.run(token, { mode: 'run', main, files });
        const answer = text(result, 'stdout') + text(result, 'stderr');
        const [found] = OF_ONE_BUILD.exec(answer) ?? [];
        made(found !== undefined, `nothing of the build in ${answer.slice(0, 500)}`);
        return found;
      };
      const first = await seen();
      await sleep(BETWEEN_MS);
      held((await seen()) !== first, `what the first build saw, ${first}`);
    },
  };
}

/** A C or C++ program that prints the value of `tick`. */
export const printsTick = (basename: string, tick: string, print = 'puts(tick)'): SourceFile[] => [
  { basename, contents: `#include <stdio.h>\n${tick}\nint main(void) { ${print}; }\n` },
];
