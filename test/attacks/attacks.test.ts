import { CLASSES } from './classes.js';
import { defineAttacks } from './lib/define-attacks.js';

defineAttacks({ name: 'attacks', classes: CLASSES });
