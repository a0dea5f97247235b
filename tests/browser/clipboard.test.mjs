// Copying and pasting with each platform's usual keys. The tests override the platform that the
// page sees, and send the editing command that a browser there would attach to the key along with
// it.

import { assert, pageTest, until } from "./harness.mjs";

/** Presses a key with Command, as on a Mac. */
async function command(page, key, commands) {
  const cdp = await page.context().newCDPSession(page);
  const code = { key, code: `Key${key.toUpperCase()}`, windowsVirtualKeyCode: key.toUpperCase().charCodeAt(0) };
  const meta = { key: "Meta", code: "MetaLeft", windowsVirtualKeyCode: 91 };
  await cdp.send("Input.dispatchKeyEvent", { type: "rawKeyDown", modifiers: 4, ...meta });
  await cdp.send("Input.dispatchKeyEvent", { type: "rawKeyDown", modifiers: 4, commands, ...code });
  await cdp.send("Input.dispatchKeyEvent", { type: "keyUp", modifiers: 4, ...code });
  await cdp.send("Input.dispatchKeyEvent", { type: "keyUp", modifiers: 0, ...meta });
  await cdp.detach();
}

/** The keys for copying, pasting and interrupting on each platform. */
const PLATFORMS = [
  {
    platform: "MacIntel",
    copy: ({ page }) => command(page, "c", ["copy"]),
    paste: ({ page }) => command(page, "v", ["paste"]),
    // Control always goes to the program, whether or not text is selected.
    interruptsSelected: true,
  },
  {
    platform: "Win32",
    copy: ({ terminal }) => terminal.press("Control+c"),
    paste: ({ terminal }) => terminal.press("Control+v"),
    interruptsSelected: false,
  },
  {
    platform: "Linux x86_64",
    copy: ({ terminal }) => terminal.press("Control+Shift+C"),
    paste: ({ terminal }) => terminal.press("Control+Shift+V"),
    interruptsSelected: true,
  },
];

for (const { platform, copy, paste, interruptsSelected } of PLATFORMS) {
  pageTest(`copying and pasting as on ${platform}`, { open: false }, async (world) => {
    const { terminal, page, link } = world;
    await page.addInitScript((name) => {
      Object.defineProperty(Navigator.prototype, "platform", { get: () => name });
    }, platform);
    await terminal.open(link);
    const select = async () => {
      await terminal.click("copied", { clickCount: 2 });
      await page.locator(".panel.shown .xterm-selection div").first().waitFor({ state: "attached" });
    };
    const copied = (text) =>
      until(
        "the copy",
        () => terminal.clipboard(),
        (found) => found === text,
      );

    await page.evaluate(() => navigator.clipboard.writeText("before"));
    await terminal.type("clear; echo copied\n");
    await terminal.waitForText(/^copied$/m);
    await select();
    await copy(world);
    await copied("copied");
    await terminal.type("echo ");
    await paste(world);
    await terminal.waitForText(/^ready> echo copied$/m);
    await terminal.press("Enter");
    await terminal.waitForText(/copied\nready> echo copied\ncopied\nready>$/);

    // Ctrl+C goes to the program, unless the platform uses this very key to copy a selection.
    await terminal.type("cat\n");
    await terminal.waitForText(/ready> cat$/);
    await terminal.press("Control+c");
    await terminal.waitForText(/\^C\nready>$/);
    await terminal.type("cat\n");
    await terminal.waitForText(/ready> cat$/);
    await select();
    await terminal.press("Control+c");
    if (!interruptsSelected) {
      // Copying clears the selection, so the next Ctrl+C goes to the program.
      await terminal.press("Control+c");
    }
    await terminal.waitForText(/cat\n\^C\nready>$/);
    const interrupts = (await terminal.text()).match(/\^C/g).length;
    assert.equal(interrupts, 2);
  });
}

/**
 * A text that a user may have copied from a page without seeing all of it: keys that act even
 * within a bracketed paste.
 */
const KEYS = "echo safe\u0003\recho two\r\u001a\u001c\u0004\u001b[201~echo three\r\u009becho four\r";

pageTest("control characters that are pasted are no keys", {}, async ({ terminal, page }) => {
  const ran = async () => (await terminal.rows()).filter((row) => /^(two|three|four)$/.test(row));
  await terminal.paste(KEYS);
  await terminal.waitForText(/echo safe/);
  await terminal.type("# end");
  await terminal.waitForText(/echo four[^]*# end$/);
  assert.deepEqual(await ran(), []);
  await terminal.press("Control+c");
  await terminal.waitForPrompt();

  // This program has not asked for bracketed paste.
  await terminal.type("clear; cat -v\n");
  await terminal.waitForText(/cat -v$|^$/m);
  await terminal.paste("a\u0003b\tc\u0004\u001b[Ad\n\u007fe\u0000f\u009bg\n");
  await terminal.waitForText(/^a b\s+c {2}\[Ad\n e f g$/m);
  await terminal.press("Control+d");
  await terminal.waitForPrompt();

  // The page's own command pastes the same way, and so does the browser's menu.
  await terminal.type("clear; cat -v\n");
  await page.evaluate(() => navigator.clipboard.writeText("by\u0003command\n"));
  await terminal.command("Paste");
  await terminal.waitForText(/^by command$/m);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData("text/plain", "by\u0003event\n");
    const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    document.activeElement.dispatchEvent(event);
  });
  await terminal.waitForText(/^by event$/m);
  await terminal.press("Control+d");
  await terminal.waitForPrompt();
});

pageTest("what is copied has no blanks that nobody sees", {}, async ({ terminal, page }) => {
  await terminal.type("clear; printf 'one   \\n\\n  two\\t\\n'\n");
  await terminal.waitForText(/two\nready>$/);
  await page.keyboard.press("Control+Shift+A");
  await page.keyboard.press("Control+Shift+C");
  await until("the copy", () => terminal.clipboard(), (text) => text === "one\n\n  two\nready>");
  // The browser's own copy command gives the same text.
  await page.evaluate(() => navigator.clipboard.writeText(""));
  await page.keyboard.press("Control+Shift+A");
  await page.evaluate(() => document.execCommand("copy"));
  await until("the copy", () => terminal.clipboard(), (text) => text === "one\n\n  two\nready>");
});

pageTest("a copy of nothing leaves the clipboard as it is", {}, async ({ terminal, page }) => {
  await terminal.type("clear\n");
  await terminal.waitForPrompt();
  await page.evaluate(() => navigator.clipboard.writeText("mine"));
  const { x, y } = await terminal.place("ready>");
  const attempts = [
    () => {},
    () => page.mouse.dblclick(x + 200, y + 100),
    () => page.mouse.dblclick(x + 300, y),
    async () => {
      await page.mouse.move(x + 100, y + 40);
      await page.mouse.down();
      await page.mouse.move(x + 300, y + 120);
      await page.mouse.up();
    },
  ];
  for (const select of attempts) {
    await select();
    for (const keys of ["Control+Shift+C", "Control+Insert"]) await terminal.press(keys);
    await page.evaluate(() => document.execCommand("copy"));
    await terminal.command("Copy");
    await page.locator(".notices", { hasText: "Nothing is selected." }).waitFor();
    assert.equal(await terminal.clipboard(), "mine");
  }
});
