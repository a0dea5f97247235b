// The time from a key's event to the frame that shows its glyph.

import { PROMPT } from "../../browser/harness/server.mjs";

import { waitForPrompt } from "./load.mjs";
import { installProbe } from "./probe.mjs";
import { Tab } from "./unwatched.mjs";

/**
 * Measures `count` keys in each round. The bare page echoes keys itself, so its time is the part of
 * the browser and xterm.js.
 */
export async function keys(browser, pages, rounds, count, recordFigure) {
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, begin } of pages) {
      const served = await begin();
      const page = await Tab.open(browser, installProbe, PROMPT.trim());
      try {
        await page.goto(served.url.href);
        await waitForPrompt(page);
        await page.focus();
        const times = [];
        for (let key = 0; key < count; key += 1) {
          await page.evaluate(() => window.bench.nextGlyph());
          await page.press("x");
          times.push(await page.evaluate(() => window.bench.result));
        }
        times.sort((one, other) => one - other);
        for (const share of [50, 90, 99]) {
          const rank = Math.ceil((share / 100) * times.length) - 1;
          recordFigure("page key to glyph", `p${share}`, name, "ms", times[rank]);
        }
      } finally {
        await page.close();
        await served.stop();
      }
    }
  }
}
