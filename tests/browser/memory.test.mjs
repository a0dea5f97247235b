// A closed terminal is freed.

import { isDeepStrictEqual } from "node:util";

import { assert, pageTest, until } from "./harness.mjs";

const TABS = 50;

/** Records the page's new elements without keeping them alive; runs in the page. */
function recordElements() {
  const made = { textarea: [], canvas: [] };
  const create = Document.prototype.createElement;
  Document.prototype.createElement = function (name, ...options) {
    const element = create.call(this, name, ...options);
    made[name]?.push(new WeakRef(element));
    return element;
  };
  window.limpetTestKept = () =>
    Object.values(made).map((elements) => elements.filter((element) => element.deref() !== undefined).length);
}

/**
 * Counts what is left of terminals after a garbage collection. An xterm.js that is not freed keeps
 * its element alive.
 */
async function census(page, cdp) {
  await cdp.send("HeapProfiler.collectGarbage");
  // Every terminal has one such element, and nothing else in the page does.
  const [terminals, canvases] = await page.evaluate(() => window.limpetTestKept());
  // The count covers all nodes that the browser keeps for the page, whether or not JavaScript
  // refers to them.
  const { nodes, jsEventListeners: listeners } = await cdp.send("Memory.getDOMCounters");
  return { terminals, canvases, nodes, listeners };
}

for (const webgl of [false, true]) {
  pageTest(
    `${TABS} tabs that are closed leave nothing behind, ${webgl ? "with" : "without"} WebGL`,
    { webgl, open: false },
    async (world) => {
      const { terminal, page, link, context } = world;
      await page.addInitScript(recordElements);
      await page.goto(link.href);
      await terminal.waitForTabCount(1);
      const cdp = await context.newCDPSession(page);
      const open = async () => {
        await page.keyboard.press("Control+Shift+Enter");
        await terminal.waitForTabCount(2);
        await until(
          "a live terminal",
          () => terminal.status(),
          (word) => word === "Connected",
        );
      };
      const close = async () => {
        await page.keyboard.press("Control+Shift+X");
        await terminal.waitForTabCount(1);
      };
      // The first terminal loads everything that is loaded once.
      await open();
      const two = await census(page, cdp);
      assert.equal(two.terminals, 2, "the census sees terminals");
      await close();
      await until(
        "one terminal",
        () => census(page, cdp),
        ({ terminals }) => terminals === 1,
      );
      // Some objects are created once but late, such as WebGL's glyphs. They are all there when one
      // more tab changes nothing.
      let before = await census(page, cdp);
      await until(
        "as much after a tab as before it",
        async () => {
          const earlier = before;
          await open();
          await close();
          before = await census(page, cdp);
          return [earlier, before];
        },
        ([earlier, now]) => now.terminals === 1 && isDeepStrictEqual(earlier, now),
      );
      for (let tab = 0; tab < TABS; tab++) {
        await open();
        await close();
      }
      await until(
        `as much as before, ${JSON.stringify(before)}`,
        () => census(page, cdp),
        (now) => Object.keys(before).every((kind) => now[kind] <= before[kind]),
      );
    },
  );
}
