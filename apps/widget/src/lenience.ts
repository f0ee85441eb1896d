/** Makes lenient bodies fit the schemas. PHP writes an empty map as `[]`; serializers write null for absent. */
type Members = Record<string, unknown>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Changes `body` in place. Values without a clear meaning are left for the schema to refuse. */
export function makeStrict(body: unknown): void {
  if (!isObject(body)) return;
  dropNulls(body);
  const { switches, lab } = body;
  if (isObject(switches)) dropNulls(switches);
  if (Array.isArray(switches) && switches.length === 0) delete body.switches;
  // `lab` is informative only, so a scalar that is no boolean is dropped, not converted.
  if (typeof lab !== 'boolean' && typeof lab !== 'object') delete body.lab;
}

function dropNulls(members: Members): void {
  for (const name of Object.keys(members)) if (members[name] === null) delete members[name];
}
