import { describe, expect, it } from '@jest/globals';
import { Type } from 'typebox';

import { readSettings } from '../src/service.js';

const Schema = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8000 }),
  NAME: Type.String({ pattern: '^[a-z]+$', default: 'widget' }),
  FILE: Type.Optional(Type.String()),
  TASKS: Type.Integer({ maximum: 8, default: 2, description: 'for more, run more workers' }),
});

describe('settings', () => {
  it('have their defaults for missing or empty variables', () => {
    expect(readSettings(Schema, { PORT: '', OTHER: 'x' })).toEqual({ PORT: 8000, NAME: 'widget', TASKS: 2 });
  });

  it('have the type of their schema and are frozen', () => {
    const settings = readSettings(Schema, { PORT: '80', NAME: 'a', FILE: '/x' });
    expect(settings).toEqual({ PORT: 80, NAME: 'a', FILE: '/x', TASKS: 2 });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it.each([
    ['PORT', '70000', 'PORT must be <= 65535'],
    ['PORT', 'eighty', 'PORT must be integer'],
    ['PORT', '1.5', 'PORT must be integer'],
    ['NAME', 'a b', 'NAME must match'],
    ['TASKS', '9', 'TASKS must be <= 8 (it is "9"): for more, run more workers'],
  ])('are named in the error with the expected value: %s=%s', (name, value, words) => {
    expect(() => readSettings(Schema, { [name]: value })).toThrow(words);
  });
});
