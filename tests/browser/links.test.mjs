// Links in what programs print.

import { assert, pageTest, until } from "./harness.mjs";

/** A window that shows an answer of the API is no page, and so names no icon; the browser then asks for the usual one. */
const ICON = /favicon\.ico/;

/** Presses a link, and gives the address of the window that it opens. */
async function follow(terminal, context, text) {
  const opened = context.waitForEvent("page");
  // xterm.js knows a link once the mouse has been over it.
  const { x, y } = await terminal.place(text);
  await terminal.page.mouse.move(x, y);
  await until("the link's address", () => terminal.page.locator(".panel.shown [title]").first().getAttribute("title"));
  await terminal.page.mouse.click(x, y);
  const window = await opened;
  await window.waitForLoadState();
  const address = window.url();
  assert.equal(await window.evaluate(() => window.opener), null);
  await window.close();
  return address;
}

pageTest("addresses in text are links", {}, async ({ terminal, context, link, watch }) => {
  watch.tolerate(ICON);
  const health = new URL("api/health", new URL("/", link)).href;
  await terminal.run(`clear; echo see ${health}.`);
  assert.equal(await follow(terminal, context, "http://"), health);
});

pageTest(
  "a program's own links lead where they say, if that is harmless",
  {},
  async ({ terminal, context, page, link, watch }) => {
    watch.tolerate(ICON);
    const health = new URL("api/health", new URL("/", link)).href;
    await terminal.run(`printf '\\e]8;;${health}\\e\\\\\\\\harm''less\\e]8;;\\e\\\\\\\\\\n'`);
    assert.equal(await follow(terminal, context, "harmless"), health);
    await terminal.run("printf '\\e]8;;javascript:document.title=1\\e\\\\\\\\harm''ful\\e]8;;\\e\\\\\\\\\\n'");
    const windows = context.pages().length;
    await terminal.click("harmful");
    assert.equal(await terminal.run("echo unharmed"), "unharmed");
    assert.equal(context.pages().length, windows);
    assert.notEqual(await page.title(), "1");
  },
);
