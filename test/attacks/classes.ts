/** The attacks by their classes, in the order of the table. */
import type { AttackClass } from './lib/attack.js';
import { attacks as processes } from './1-processes.js';

export const CLASSES: readonly AttackClass[] = [
  { name: 'processes', attacks: processes },
];
