// Copying and pasting by the keys that people know from their platform. The platform is what the page is told; the
// browser's own part, the editing command that it ties to a key there, is given along with the key.

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

/** How each platform's people copy, paste, and interrupt. */
const PLATFORMS = [
  {
    platform: "MacIntel",
    copy: ({ page }) => command(page, "c", ["copy"]),
    paste: ({ page }) => command(page, "v", ["paste"]),
    // Control is all the program's, selection or not.
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
    await terminal.shows(/^copied$/m);
    await select();
    await copy(world);
    await copied("copied");
    await terminal.type("echo ");
    await paste(world);
    await terminal.shows(/^ready> echo copied$/m);
    await terminal.press("Enter");
    await terminal.shows(/copied\nready> echo copied\ncopied\nready>$/);

    // Interrupting is for the program, unless the platform uses that very key to copy what is selected.
    await terminal.type("cat\n");
    await terminal.shows(/ready> cat$/);
    await terminal.press("Control+c");
    await terminal.shows(/\^C\nready>$/);
    await terminal.type("cat\n");
    await terminal.shows(/ready> cat$/);
    await select();
    await terminal.press("Control+c");
    if (!interruptsSelected) {
      // The selection is used up, and the next one is for the program.
      await terminal.press("Control+c");
    }
    await terminal.shows(/cat\n\^C\nready>$/);
    const interrupts = (await terminal.text()).match(/\^C/g).length;
    assert.equal(interrupts, 2);
  });
}
