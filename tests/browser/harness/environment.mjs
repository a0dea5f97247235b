// Environment variables that `cargo xtask test browser` sets for the tests.

/** Returns an environment variable, or throws if it is missing. */
export function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with cargo xtask test browser`);
  return value;
}
