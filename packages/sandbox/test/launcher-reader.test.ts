import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { PROTOCOL_VERSION } from '../src/launcher-protocol.js';
import { readLauncher, type ReadOptions } from '../src/launcher-reader.js';
import { EXECUTABLE_BYTES } from '../src/limits.js';
import { ContainerLost } from '../src/runtime.js';

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

function start(options: Partial<ReadOptions> = {}) {
  const stream = new PassThrough();
  const stop = new AbortController();
  const output: string[] = [];
  const onOutput: ReadOptions['onOutput'] = (name, bytes) => output.push(`${name}: ${bytes.toString()}`);
  const reading = readLauncher(stream, { onOutput, outputLimitBytes: 10, expectsFile: false, ...options }, stop.signal);
  return { stream, stop, output, reading };
}

describe("the launcher's reader", () => {
  it("passes on output in order and ends at the status, without waiting for the stream's end", async () => {
    const { stream, output, reading } = start();
    for (const chunk of [READY, say('o', 'a'), say('e', 'b'), say('o', 'c'), EXITED]) stream.write(chunk);
    expect(await reading).toEqual({ isReady: true, status, diagnostics: '' });
    expect(output).toEqual(['stdout: a', 'stderr: b', 'stdout: c']);
  });

  it('ignores frames after the status', async () => {
    const { stream, output, reading } = start();
    stream.write(Buffer.concat([READY, EXITED, say('o', 'late'), say('s', Buffer.alloc(9)), Buffer.from('nonsense')]));
    expect(await reading).toEqual({ isReady: true, status, diagnostics: '' });
    expect(output).toEqual([]);
  });

  it('collects the requested file', async () => {
    const { stream, reading } = start({ expectsFile: true });
    stream.write(Buffer.concat([READY, say('x', 'EL'), say('x', 'F'), EXITED]));
    expect((await reading).file).toEqual([Buffer.from('ELF')]);
  });

  it('keeps a file only up to its limit', async () => {
    const { stream, reading } = start({ expectsFile: true });
    const piece = say('x', Buffer.alloc(64 * 1024));
    for (let bytes = 0; bytes <= EXECUTABLE_BYTES; bytes += 64 * 1024) stream.write(piece);
    await expect(reading).rejects.toThrow(ContainerLost);
  });

  it("ends without a status at the stream's end, with the text of stderr", async () => {
    const { stream, reading } = start();
    stream.end(docker(2, Buffer.from('launcher: read request: refused\n')));
    expect(await reading).toEqual({ isReady: false, diagnostics: 'launcher: read request: refused\n' });
  });

  it('ends without a status on a lost connection', async () => {
    const { stream, reading } = start();
    stream.destroy(new Error('ECONNRESET'));
    expect((await reading).status).toBeUndefined();
  });

  it('ends without a status when it is stopped', async () => {
    const { stream, stop, reading } = start();
    stream.write(READY);
    setImmediate(() => stop.abort());
    expect(await reading).toEqual({ isReady: true, diagnostics: '' });
  });

  it.each([
    ['more output than requested', [say('o', '12345678'), say('e', '123')]],
    ['a file that was not requested', [say('x', 'ELF')]],
    ['another version of the frames', [say('r', Buffer.of(99))]],
    ['no frame of the launcher', [docker(1, Buffer.from('Hello, I am another image'))]],
    ['no frame of Docker', [Buffer.from('HTTP/1.1 500 Internal Server Error')]],
  ])('rejects on %s', async (_, chunks) => {
    const { stream, reading } = start();
    chunks.forEach((chunk) => stream.write(chunk));
    await expect(reading).rejects.toThrow(ContainerLost);
  });

  it('keeps at most 4 KiB of diagnostics', async () => {
    const { stream, reading } = start();
    for (let i = 0; i < 100; i++) stream.write(docker(2, Buffer.alloc(1000, 'x')));
    stream.end();
    expect((await reading).diagnostics).toHaveLength(4096);
  });

  it('rejects with the error of a listener that throws', async () => {
    const onOutput = () => {
      throw new Error('the listener');
    };
    const { stream, reading } = start({ onOutput });
    stream.write(say('o', 'a'));
    await expect(reading).rejects.toThrow('the listener');
  });
});
