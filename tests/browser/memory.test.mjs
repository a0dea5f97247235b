// A terminal that is closed is freed.

import { isDeepStrictEqual } from "node:util";

import { assert, pageTest, until } from "./harness.mjs";

const TABS = 50;

/** Runs in the page: remembers elements, without keeping them. */
function remember() {
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

/** What is left of terminals after garbage has been collected. An xterm.js that is kept keeps its element. */
async function census(page, cdp) {
  await cdp.send("HeapProfiler.collectGarbage");
  // Every terminal has one of these elements, and nothing else in the page is one.
  const [terminals, canvases] = await page.evaluate(() => window.limpetTestKept());
  // All nodes that the browser keeps for the page, whether or not JavaScript knows them.
  const { nodes, jsEventListeners: listeners } = await cdp.send("Memory.getDOMCounters");
  return { terminals, canvases, nodes, listeners };
}

for (const webgl of [false, true]) {
  pageTest(
    `${TABS} tabs that are closed leave nothing behind, ${webgl ? "with" : "without"} WebGL`,
    { webgl, open: false },
    async (world) => {
      const { terminal, page, link, context } = world;
      await page.addInitScript(remember);
      await page.goto(link.href);
      await terminal.tabCount(1);
      const cdp = await context.newCDPSession(page);
      const open = async () => {
        await page.keyboard.press("Control+Shift+Enter");
        await terminal.tabCount(2);
        await until(
          "a live terminal",
          () => terminal.status(),
          (word) => word === "Connected",
        );
      };
      const close = async () => {
        await page.keyboard.press("Control+Shift+X");
        await terminal.tabCount(1);
      };
      // The first one loads what is loaded once.
      await open();
      const two = await census(page, cdp);
      assert.equal(two.terminals, 2, "the census sees terminals");
      await close();
      await until(
        "one terminal",
        () => census(page, cdp),
        ({ terminals }) => terminals === 1,
      );
      // What is made once, and late, as WebGL's glyphs are, is here when one more tab changes nothing.
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
