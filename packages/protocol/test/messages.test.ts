import { describe, expect, it } from '@jest/globals';

import { decodeTaskMessage, encodeMessage, type TaskMessage } from '../src/protocol.js';

const TASK: TaskMessage = {
  version: 1,
  identifier: '11111111-2222-4333-8444-555555555555',
  submittedAt: 0,
  request: { files: [], mode: 'run' },
};

describe('a task message', () => {
  it('is read as it was written', () => {
    expect(decodeTaskMessage(encodeMessage(TASK))).toEqual(TASK);
  });

  it('is invalid if its identifier is too long for a queue name', () => {
    expect(decodeTaskMessage(encodeMessage({ ...TASK, identifier: 'x'.repeat(256) }))).toBeUndefined();
  });
});
