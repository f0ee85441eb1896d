import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

import { expect, it } from '@jest/globals';

import { isLocked, tryLock, withLock } from '../../scripts/lib/lock.js';

it('lets one holder in at a time, and the next one after its release', async () => {
  const name = randomUUID();
  const unlock = await tryLock(name);
  expect([await isLocked(name), await tryLock(name)]).toEqual([true, undefined]);
  unlock?.();
  expect(await isLocked(name)).toBe(false);
  await expect(withLock(name, () => Promise.resolve('done'))).resolves.toBe('done');
});

it('is free as soon as its process is killed', async () => {
  const name = randomUUID();
  const source = `import { tryLock } from './scripts/lib/lock.ts'; await tryLock('${name}'); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(await isLocked(name)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const unlock = await tryLock(name);
  expect(unlock).toBeDefined();
  unlock?.();
});
