import { describe, expect, it } from '@jest/globals';

import { decodeReplyMessage, decodeTaskMessage } from '../src/messages.js';

/**
 * Messages exactly as each version published them: tasks wait in the broker during a deploy, and older workers
 * still reply.
 * Add the messages of each new version, and remove none while that version may run.
 */
const TASKS = [
  '{"version":1,"identifier":"11111111-2222-4333-8444-555555555555","submittedAt":1700000000000,"request":{"files":[{"basename":"main.adb","contents":"x"}],"mode":"run"}}',
];
const REPLIES = [
  '{"version":1,"kind":"output","attempt":1,"first":1,"items":[{"msg":{"type":"stdout","data":"x\\n"}}]}',
  '{"version":1,"kind":"final","attempt":1,"items":1,"state":"SUCCESS","status":0,"workMs":12.5}',
  '{"version":1,"kind":"restart","attempt":2,"received":0}',
];

describe('a message of a deployed version', () => {
  it.each(TASKS)('is still a task: %s', (text) => {
    expect(decodeTaskMessage(Buffer.from(text))).toHaveProperty('identifier', '11111111-2222-4333-8444-555555555555');
  });

  it.each(REPLIES)('is still a reply: %s', (text) => {
    expect(decodeReplyMessage(Buffer.from(text))).toHaveProperty('kind', (JSON.parse(text) as { kind: string }).kind);
  });
});
