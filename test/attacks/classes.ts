/** The attacks by class, in the order of the table. */
import { attacks as processes } from './1-processes.js';
import { attacks as pragmas } from './2-pragmas.js';
import { attacks as compileTime } from './3-compile-time.js';
import { attacks as files } from './4-files.js';
import { attacks as floods } from './5-floods.js';
import { attacks as sockets } from './6-sockets.js';
import { attacks as kernel } from './7-kernel.js';
import { attacks as time } from './8-time.js';
import { attacks as output } from './9-output.js';
import { attacks as requests } from './10-requests.js';
import { attacks as others } from './11-others.js';
import { attacks as incidents } from './12-incidents.js';
import { attacks as executables } from './13-executables.js';
import { attacks as sharedKernel } from './14-shared-kernel.js';
import { attacks as answers } from './15-answers.js';
import type { AttackClass } from './lib/attack.js';

export const CLASSES: readonly AttackClass[] = [
  { name: 'processes', attacks: processes },
  { name: 'pragmas', attacks: pragmas },
  { name: 'compile time', attacks: compileTime },
  { name: 'files', attacks: files },
  { name: 'floods', attacks: floods },
  { name: 'sockets', attacks: sockets },
  { name: 'kernel', attacks: kernel },
  { name: 'time', attacks: time },
  { name: 'output', attacks: output },
  { name: 'requests', attacks: requests },
  { name: 'others', attacks: others },
  { name: 'incidents', attacks: incidents },
  { name: 'executables', attacks: executables },
  { name: 'shared kernel', attacks: sharedKernel },
  { name: 'answers', attacks: answers },
];
