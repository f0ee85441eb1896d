import { attacks } from './2-pragmas.js';
import { attacks as executables } from './13-executables.js';
import { defineAttacks } from './lib/define-attacks.js';

// Containers must be safe without the pragmas of main.adc.
const classes = [
  { name: 'pragmas, without restrictions', attacks },
  { name: 'executables, without restrictions', attacks: executables },
];
defineAttacks({ name: 'without-restrictions', classes, env: { ADA_RESTRICTIONS: 'none' } });
