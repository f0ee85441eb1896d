/** Unique prefixes for queues and container labels. */
import { appendFileSync } from 'node:fs';

import { environment } from './environment.js';

let count = 0;

/** Creates a namespace and records it for the last test, which looks for remains. */
export function newNamespace(purpose: string): string {
  const namespace = `${environment('NAMESPACE')}-${purpose}${process.pid}-${++count}`;
  appendFileSync(environment('NAMESPACES_FILE'), `${namespace}\n`);
  return namespace;
}
