// What `cargo xtask test browser` tells the tests.

/** A variable of the environment that the tests cannot do without. */
export function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with cargo xtask test browser`);
  return value;
}
