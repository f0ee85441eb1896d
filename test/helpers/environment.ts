/** What `npm test` hands to the tests; started by hand, a test says what it misses. */
export function environment(
  name:
    'AMQP_URL' | 'NAMESPACE' | 'SANDBOX_IMAGE' | 'RUN_IMAGE' | 'BROKER_IMAGE' | 'SECCOMP_PROFILE' | 'NAMESPACES_FILE',
): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run the tests with "npm test -- <file>", which starts what they need`);
  return value;
}
