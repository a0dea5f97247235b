// A terminal that is closed is freed.

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
      const before = await census(page, cdp);
      for (let tab = 0; tab < TABS; tab++) {
        await open();
        await close();
      }
      const after = await until(
        "as much as before",
        () => census(page, cdp),
        (now) => now.terminals <= before.terminals,
      );
      assert.deepEqual(after, before);
    },
  );
}
