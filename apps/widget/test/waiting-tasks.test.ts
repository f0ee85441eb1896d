import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';

import { TooManyWaiting, WaitingTasks } from '../src/waiting-tasks.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Limits for one client, with this many tasks in the queue. */
const waitingTasks = (ofClient: number, waiting = 100) =>
  new WaitingTasks(ofClient, () => Promise.resolve({ waiting, slots: 2 }));
const add = (waiting: WaitingTasks, identifier: string, client: string) =>
  waiting.admit(identifier, client, () => Promise.resolve());

it('limits the waiting tasks of each client', async () => {
  const waiting = waitingTasks(2);
  await add(waiting, '1', 'a');
  await add(waiting, '2', 'a');
  await expect(add(waiting, '3', 'a')).rejects.toThrow(TooManyWaiting);
  await add(waiting, '4', 'b');
  waiting.remove('1');
  await add(waiting, '5', 'a');
  await expect(add(waiting, '6', 'a')).rejects.toThrow('2 programs from your address are waiting already');
});

it('removes a task once, however often it is reported', async () => {
  const waiting = waitingTasks(2);
  for (const identifier of ['1', '2']) await add(waiting, identifier, 'a');
  for (let i = 0; i < 3; i++) waiting.remove('1');
  waiting.remove('of another widget');
  await add(waiting, '3', 'a');
  await expect(add(waiting, '4', 'a')).rejects.toThrow(TooManyWaiting);
});

it('forgets the tasks of a client that never polls', async () => {
  const waiting = waitingTasks(1);
  await add(waiting, '1', 'a');
  jest.advanceTimersByTime(299_000);
  await expect(add(waiting, '2', 'a')).rejects.toThrow(TooManyWaiting);
  jest.advanceTimersByTime(2_000);
  await add(waiting, '2', 'a');
});

it('counts nothing without a limit', async () => {
  const waiting = waitingTasks(0);
  for (let i = 0; i < 1000; i++) await add(waiting, String(i), 'a');
});

it('does not count a task that was not accepted', async () => {
  const waiting = waitingTasks(1);
  await expect(waiting.admit('1', 'a', () => Promise.reject(new Error('full')))).rejects.toThrow('full');
  await add(waiting, '2', 'a');
});

it('trusts a shorter queue: another widget may have answered the polls', async () => {
  let waiting = 5;
  const tasks = new WaitingTasks(2, () => Promise.resolve({ waiting, slots: 2 }));
  await add(tasks, '1', 'a');
  await add(tasks, '2', 'a');
  await expect(add(tasks, '3', 'a')).rejects.toMatchObject({ load: { waiting: 5 } });
  waiting = 1;
  await add(tasks, '4', 'a');
  await expect(
    Promise.resolve()
      .then(() => (waiting = 2))
      .then(() => add(tasks, '5', 'a')),
  ).rejects.toThrow(TooManyWaiting);
  waiting = 0;
  await add(tasks, '6', 'a');
});
