/**
 * Returns a member of an object of xterm.js. Throws if it is missing; docs/xterm.md describes what
 * to do then.
 */
export function internal(object, name) {
  const value = object?.[name];
  if (value === undefined) throw new Error(`this version of xterm.js has no ${name}; see docs/xterm.md`);
  return value;
}

/** Replaces a method of an object. `make` receives the original method, bound to the object. */
export function replace(object, name, make) {
  object[name] = make(internal(object, name).bind(object));
}

/** Applies a change to a prototype that all terminals of the page share, once. */
export function once(prototype, change, ...args) {
  const changes = made.get(prototype) ?? new Set();
  made.set(prototype, changes);
  if (changes.has(change)) return;
  changes.add(change);
  change(prototype, ...args);
}

/** The changes that were made to each prototype. */
const made = new WeakMap();
