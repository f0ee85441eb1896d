/** Writes the files that are generated from TypeScript. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { GENERATED } from './generated.js';

for (const [path, text] of Object.entries(GENERATED)) writeFileSync(join(import.meta.dirname, '../docker', path), text);
