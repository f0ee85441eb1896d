/** A variable that `npm test` sets for the tests; the error names it if it is missing. */
export function environment(
  name:
    'AMQP_URL' | 'NAMESPACE' | 'SANDBOX_IMAGE' | 'RUN_IMAGE' | 'BROKER_IMAGE' | 'SECCOMP_PROFILE' | 'NAMESPACES_FILE',
): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run the tests with "npm test -- <file>", which starts what they need`);
  return value;
}
