// A terminal that is closed is freed.

import { assert, pageTest, until } from "./harness.mjs";

const TABS = 50;

/** How many objects of a class, given by an expression, the page keeps after garbage has been collected. */
async function instances(cdp, prototype) {
  await cdp.send("HeapProfiler.collectGarbage");
  const group = "limpet-test";
  const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", {
    expression: prototype,
    awaitPromise: true,
    objectGroup: group,
  });
  if (exceptionDetails) throw new Error(`${prototype}: ${exceptionDetails.exception?.description}`);
  const { objects } = await cdp.send("Runtime.queryObjects", {
    prototypeObjectId: result.objectId,
    objectGroup: group,
  });
  const { result: length } = await cdp.send("Runtime.callFunctionOn", {
    objectId: objects.objectId,
    functionDeclaration: "function () { return this.length; }",
    objectGroup: group,
  });
  await cdp.send("Runtime.releaseObjectGroup", { objectGroup: group });
  return length.value;
}

/** What is left of terminals: xterm.js's own objects, and their elements, attached or not. */
async function census(cdp) {
  const terminals = await instances(cdp, "import(document.querySelector('script[type=module]').src).then(({ Terminal }) => Terminal.prototype)");
  // Every terminal has one of these elements, and nothing else in the page is one.
  const textareas = await instances(cdp, "HTMLTextAreaElement.prototype");
  const canvases = await instances(cdp, "HTMLCanvasElement.prototype");
  // All nodes that the browser keeps for the page, whether or not JavaScript knows them.
  const { nodes, jsEventListeners: listeners } = await cdp.send("Memory.getDOMCounters");
  return { terminals, textareas, canvases, nodes, listeners };
}

for (const webgl of [false, true]) {
  pageTest(
    `${TABS} tabs that are closed leave nothing behind, ${webgl ? "with" : "without"} WebGL`,
    { webgl, open: false },
    async (world) => {
      const { terminal, page, link, context } = world;
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
      const two = await census(cdp);
      assert.equal(two.terminals, 2, "the census sees terminals");
      assert.equal(two.textareas, 2, "the census sees elements");
      await close();
      await until(
        "one terminal",
        () => census(cdp),
        ({ terminals }) => terminals === 1,
      );
      const before = await census(cdp);
      for (let tab = 0; tab < TABS; tab++) {
        await open();
        await close();
      }
      const after = await until(
        "as much as before",
        () => census(cdp),
        (now) => now.terminals <= before.terminals,
      );
      assert.deepEqual(after, before);
    },
  );
}
