import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { listen, type ListenOptions } from '../src/conversation.js';
import { SandboxUnavailable } from '../src/engine.js';
import { PROTOCOL_VERSION } from '../src/launcher-request.js';
import { EXECUTABLE_BYTES } from '../src/limits.js';

function frame(type: string, payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

function docker(stream: 1 | 2, payload: Buffer): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

const say = (type: string, payload: Buffer | string) => docker(1, frame(type, Buffer.from(payload)));
const READY = say('r', Buffer.of(PROTOCOL_VERSION));
const EXITED = say('s', Buffer.from([0x65, 0, 0, 0, 3, 0, 0, 0, 5]));
const status = { type: 'status', reason: 'exited', status: 3, ms: 5 };

function start(options: Partial<ListenOptions> = {}) {
  const stream = new PassThrough();
  const patience = new AbortController();
  const output: string[] = [];
  const onOutput: ListenOptions['onOutput'] = (name, bytes) => output.push(`${name}: ${bytes.toString()}`);
  const hearing = listen(stream, { onOutput, outputLimitBytes: 10, handsBack: false, ...options }, patience.signal);
  return { stream, patience, output, hearing };
}

describe('a conversation with a launcher', () => {
  it('passes on output in its order and ends with the status, without waiting for the end of the stream', async () => {
    const { stream, output, hearing } = start();
    for (const chunk of [READY, say('o', 'a'), say('e', 'b'), say('o', 'c'), EXITED]) stream.write(chunk);
    expect(await hearing).toEqual({ ready: true, status, diagnostics: '' });
    expect(output).toEqual(['stdout: a', 'stderr: b', 'stdout: c']);
  });

  it('takes nothing after the status', async () => {
    const { stream, output, hearing } = start();
    stream.write(Buffer.concat([READY, EXITED, say('o', 'late'), say('s', Buffer.alloc(9)), Buffer.from('nonsense')]));
    expect(await hearing).toEqual({ ready: true, status, diagnostics: '' });
    expect(output).toEqual([]);
  });

  it('collects the executable that was asked for', async () => {
    const { stream, hearing } = start({ handsBack: true });
    stream.write(Buffer.concat([READY, say('x', 'EL'), say('x', 'F'), EXITED]));
    expect((await hearing).executable).toEqual([Buffer.from('ELF')]);
  });

  it('takes no more of an executable than the limit', async () => {
    const { stream, hearing } = start({ handsBack: true });
    const piece = say('x', Buffer.alloc(64 * 1024));
    for (let bytes = 0; bytes <= EXECUTABLE_BYTES; bytes += 64 * 1024) stream.write(piece);
    await expect(hearing).rejects.toThrow(SandboxUnavailable);
  });

  it('ends without a status where the stream does, with what was said on stderr', async () => {
    const { stream, hearing } = start();
    stream.end(docker(2, Buffer.from('launcher: read request: refused\n')));
    expect(await hearing).toEqual({ ready: false, diagnostics: 'launcher: read request: refused\n' });
  });

  it('ends without a status where the connection is lost', async () => {
    const { stream, hearing } = start();
    stream.destroy(new Error('ECONNRESET'));
    expect((await hearing).status).toBeUndefined();
  });

  it('ends without a status where patience does', async () => {
    const { stream, patience, hearing } = start();
    stream.write(READY);
    setImmediate(() => patience.abort());
    expect(await hearing).toEqual({ ready: true, diagnostics: '' });
  });

  it.each([
    ['more output than was asked for', [say('o', '12345678'), say('e', '123')]],
    ['an executable that was not asked for', [say('x', 'ELF')]],
    ['another version of the frames', [say('r', Buffer.of(99))]],
    ["no frame of the launcher's", [docker(1, Buffer.from('Hello, I am another image'))]],
    ["no frame of Docker's", [Buffer.from('HTTP/1.1 500 Internal Server Error')]],
  ])('is over with %s', async (_, chunks) => {
    const { stream, hearing } = start();
    chunks.forEach((chunk) => stream.write(chunk));
    await expect(hearing).rejects.toThrow(SandboxUnavailable);
  });

  it('keeps no more diagnostics than a log can bear', async () => {
    const { stream, hearing } = start();
    for (let i = 0; i < 100; i++) stream.write(docker(2, Buffer.alloc(1000, 'x')));
    stream.end();
    expect((await hearing).diagnostics).toHaveLength(4096);
  });

  it('ends with the error of a listener that throws', async () => {
    const onOutput = () => {
      throw new Error('the listener');
    };
    const { stream, hearing } = start({ onOutput });
    stream.write(say('o', 'a'));
    await expect(hearing).rejects.toThrow('the listener');
  });
});
