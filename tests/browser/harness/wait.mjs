// Waiting for conditions. The deadline only bounds a failure; nothing is concluded from how long something takes.

import { setTimeout as pause } from "node:timers/promises";

/** Long enough for a busy machine. */
export const DEADLINE_MS = 30_000;

/** Bounds a whole test, in which many conditions may be waited for. */
const TEST_DEADLINE_MS = 300_000;

/**
 * Asks again and again until the answer is as wanted, and gives it.
 * @param {string} what      what is waited for, for the message
 * @param {() => Promise<T>} ask
 * @param {(answer: T) => boolean} wanted
 * @template T
 */
export async function until(what, ask, wanted = Boolean) {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}; last seen:\n${show(answer)}`);
    await pause(50);
  }
}

/**
 * Waits for work of any kind, but not for ever: what is asked of a page has no deadline of its own.
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
