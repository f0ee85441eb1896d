import { describe, expect, it } from '@jest/globals';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { projectOptions, REQUEST_LIMITS, REQUEST_SETTINGS } from '../src/limits.js';

const Settings = Type.Object(REQUEST_SETTINGS);
const optionsFor = (settings: object) => projectOptions(Value.Parse(Settings, Value.Default(Settings, settings)));

describe('the options of an installation', () => {
  it("default to the contract's limits", () => {
    expect(optionsFor({})).toEqual({ limits: REQUEST_LIMITS, restricted: true });
    expect(REQUEST_LIMITS.projectNameCodePoints).toBe(512);
  });

  it('follow the settings', () => {
    const { limits, restricted } = optionsFor({ PROJECT_NAME_LIMIT_CODE_POINTS: 5, ADA_RESTRICTIONS: 'none' });
    expect(limits).toEqual({ ...REQUEST_LIMITS, projectNameCodePoints: 5 });
    expect(restricted).toBe(false);
  });

  it('allow only two values for restrictions', () => {
    expect(() => optionsFor({ ADA_RESTRICTIONS: 'some' })).toThrow();
  });
});
