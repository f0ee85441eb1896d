/** The files that are generated from TypeScript: `npm run generate` writes them, and a unit test compares them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { withPtrace } from '../packages/sandbox/src/gvisor.js';
import { protocolHeader } from '../packages/sandbox/src/launcher-protocol.js';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  version: string;
};
const docker = join(import.meta.dirname, '../docker');
const seccomp = readFileSync(join(docker, 'sandbox/seccomp.json'), 'utf8');
/** The profile in the form of a container creation's body. The socket proxy looks for this text. */
const asOption = (profile: string) => `${JSON.stringify(`seccomp=${profile}`)}\n`;

/** By path under docker/. */
export const GENERATED: Readonly<Record<string, string>> = {
  'sandbox/launcher/protocol.h': protocolHeader(version),
  'socket-proxy/seccomp-runc.string': asOption(seccomp),
  'socket-proxy/seccomp-gvisor.string': asOption(withPtrace(seccomp)),
};
