/** Prefixes of queues and labels of containers that nothing else uses. */
import { appendFileSync } from 'node:fs';

import { environment } from './environment.js';

let count = 0;

/** A new one, written down for the last of all tests, which looks whether anything of it is left. */
export function newNamespace(purpose: string): string {
  const namespace = `${environment('NAMESPACE')}-${purpose}${process.pid}-${++count}`;
  appendFileSync(environment('NAMESPACES_FILE'), `${namespace}\n`);
  return namespace;
}
