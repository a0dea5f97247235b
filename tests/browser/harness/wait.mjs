// Waiting for conditions. The deadline only bounds a failure; no conclusion is drawn from how long
// something takes.

import { setTimeout as pause } from "node:timers/promises";

/** Deadline for a condition in milliseconds, long enough for a busy machine. */
export const DEADLINE_MS = 30_000;

/** Deadline for a whole test in milliseconds, in which many conditions may be awaited. */
const TEST_DEADLINE_MS = 300_000;

/**
 * Polls until the answer is the wanted one, and returns it.
 * @param {string} what      description of the condition for the error message
 * @param {() => Promise<T>} ask
 * @param {(answer: T) => boolean} wanted
 * @template T
 */
export async function until(what, ask, wanted = Boolean) {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`timed out waiting for ${what}; last seen:\n${show(answer)}`);
    await pause(50);
  }
}

/**
 * Waits for any work, up to the deadline for a test: requests to a page have no deadline of their
 * own.
 * @param {Promise<T>} work
 * @template T
 */
export async function within(work) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not done after ${TEST_DEADLINE_MS} ms`)), TEST_DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function show(answer) {
  return typeof answer === "string" ? answer : JSON.stringify(answer, null, 1);
}
