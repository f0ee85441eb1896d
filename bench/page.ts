/** A page in a browser, as the service sees it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

/**
 * One connection, one request at a time. It uses little processor time, which it shares with the service: fetch
 * needs as much for a poll as the whole rest.
 */
export class Page {
  private said: Buffer = Buffer.alloc(0);
  private settle?: { answered: (body: unknown) => void; failed: (error: Error) => void };

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.hear(bytes));
    socket.on('error', (error) => this.settle?.failed(error));
    socket.on('close', () => this.settle?.failed(new Error('the service has closed the connection')));
  }

  static async open(base: string): Promise<Page> {
    const { hostname, port } = new URL(base);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new Page(socket);
  }

  /** Resolves with the answer's body; throws if the status is not 200. */
  post(path: string, body: unknown): Promise<unknown> {
    if (this.socket.destroyed) return Promise.reject(new Error('the service has closed the connection'));
    this.said = Buffer.alloc(0);
    const text = JSON.stringify(body);
    const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}`;
    return new Promise((answered, failed) => {
      this.settle = { answered, failed };
      this.socket.write(head + HEAD_END + text);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private hear(bytes: Buffer): void {
    this.said = this.said.length === 0 ? bytes : Buffer.concat([this.said, bytes]);
    const headEnd = this.said.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.said.toString('latin1', 0, headEnd);
    const bodyAt = headEnd + HEAD_END.length;
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    if (this.said.length - bodyAt < length) return;
    const body = this.said.toString('utf8', bodyAt);
    if (head.startsWith('HTTP/1.1 200 ')) this.settle?.answered(JSON.parse(body));
    else this.settle?.failed(new Error(`the service has answered ${head.split('\r\n', 1)[0]} ${body}`));
  }
}
