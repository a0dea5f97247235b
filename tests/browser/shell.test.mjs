// A shell in a page: what is typed, and what comes back.

import { assert, pageTest, until } from "./harness.mjs";

pageTest("what is typed is echoed and run", {}, async ({ terminal }) => {
  assert.equal(await terminal.run("echo $((6 * 7)) äöü 漢字"), "42 äöü 漢字");
});

pageTest("the program's size follows the window's", {}, async ({ terminal, page }) => {
  const size = async () => (await terminal.run("stty size")).split(" ").map(Number);
  const before = await size();
  assert.equal(before[0], (await terminal.rows()).length);
  await page.setViewportSize({ width: 700, height: 400 });
  const after = await until("a smaller size", size, ([rows, cols]) => rows < before[0] && cols < before[1]);
  assert.equal(after[0], (await terminal.rows()).length);
});

pageTest("Ctrl-C ends a flood", {}, async ({ terminal }) => {
  await terminal.type("yes\n");
  await terminal.shows(/y\ny\ny$/);
  await terminal.press("Control+c");
  await terminal.prompt();
  assert.equal(await terminal.run("echo done"), "done");
});
