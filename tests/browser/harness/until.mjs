// Conditions are waited for. Nothing here takes long; what hangs is reported by its name.

import { setTimeout as sleep } from "node:timers/promises";

const DEADLINE_MS = 30_000;
const LOOK_MS = 25;

/** Waits until `look` gives something true, and gives that. On failure `seen` says what there was instead. */
export async function until(what, look, seen = () => "") {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited too long for ${what}\n${await seen()}`);
    await sleep(LOOK_MS);
  }
}
