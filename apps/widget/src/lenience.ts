/**
 * What lenient clients send, made into what the schemas and the workers know: the one place where
 * more is taken than they allow. PHP writes an empty map as `[]`, serializers write null for absent.
 */
type Members = Record<string, unknown>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Changes the body in place; what has no clear meaning is left for the schema to refuse. */
export function makeStrict(body: unknown): void {
  if (!isObject(body)) return;
  dropNulls(body);
  const { switches, lab } = body;
  if (isObject(switches)) dropNulls(switches);
  if (Array.isArray(switches) && switches.length === 0) delete body.switches;
  // Informative only: nothing depends on what another scalar would mean as a boolean.
  if (typeof lab !== 'boolean' && typeof lab !== 'object') delete body.lab;
}

function dropNulls(members: Members): void {
  for (const name of Object.keys(members)) if (members[name] === null) delete members[name];
}
