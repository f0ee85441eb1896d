/** Attacks that look for the time or a file's content in a build that was kept for somebody else. */
import { setTimeout as sleep } from 'node:timers/promises';

import { text } from '../../helpers/client.js';
import { held, made, type Attack } from './attack.js';
import type { SourceFile } from './programs.js';

/** Longer than the second that a compiler's clock shows. */
const BETWEEN_MS = 1200;
/** A time of day, the two numbers of /proc/uptime, or a container's name from /etc/hostname. */
const OF_ONE_BUILD = /\d\d:\d\d:\d\d|\d+\.\d\d \d+\.\d\d|\b[0-9a-f]{12}\b/;

/** Sends the same sources twice, as two users would: the second must not see when or where the first were built. */
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
      // No build of another run is the same.
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

/** A C or C++ program that prints what `tick` is. */
export const printsTick = (basename: string, tick: string, print = 'puts(tick)'): SourceFile[] => [
  { basename, contents: `#include <stdio.h>\n${tick}\nint main(void) { ${print}; }\n` },
];
