// Programs that write to the clipboard (OSC 52): the user is asked first, and nothing is lost.

import { assert, pageTest, until } from "./harness.mjs";
import { openViewer } from "./harness/viewers.mjs";

const request = (page) => page.locator(".panel.shown .copy-request");
const answer = (page, name) => request(page).getByRole("button", { name, exact: true }).click();
const notice = (page, text) => page.locator(".notices", { hasText: text }).waitFor();

/** Makes the shell write a text to the clipboard, as programs do. */
async function copy(terminal, text) {
  await terminal.run(`printf '\\e]52;c;%s\\a' $(printf '${text}' | base64 -w0)`);
}

/** Fills the clipboard, and returns a function that checks that it is unchanged. */
async function fillClipboard(terminal) {
  await terminal.page.evaluate(() => navigator.clipboard.writeText("mine"));
  return async () => assert.equal(await terminal.clipboard(), "mine");
}

pageTest("a program copies only once it is allowed", {}, async ({ terminal, page }) => {
  const assertUnchanged = await fillClipboard(terminal);
  await copy(terminal, "theirs \\033[31m\\nsecond");
  await request(page).waitFor();
  assert.match(await request(page).textContent(), /bash wants to copy 19 characters/);
  assert.match(await request(page).textContent(), /theirs {2}\[31m⏎second/);
  assert.equal(await page.locator("[role=status][aria-label=Clipboard]").count(), 1);
  await assertUnchanged();
  // The focus stays in the terminal.
  assert.equal(await terminal.run("echo typed"), "typed");

  await copy(terminal, "later");
  await answer(page, "Copy once");
  await until("the copy", () => terminal.clipboard(), (text) => text === "theirs \u001b[31m\nsecond");
  await notice(page, "Copied ");
  await until("the next request", () => request(page).textContent(), (text) => text.includes("later"));
  await answer(page, "Not now");
  await request(page).waitFor({ state: "detached" });

  await copy(terminal, "third");
  await answer(page, "Allow for this terminal");
  await until("the third", () => terminal.clipboard(), (text) => text === "third");
  await copy(terminal, "fourth");
  await until("the fourth, without a question", () => terminal.clipboard(), (text) => text === "fourth");
  assert.equal(await request(page).count(), 0);

  // Another terminal asks separately.
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForPrompt();
  await copy(terminal, "other");
  await answer(page, "Never");
  await copy(terminal, "again");
  assert.equal(await terminal.run("echo over"), "over");
  assert.equal(await request(page).count(), 0);
  assert.equal(await terminal.clipboard(), "fourth");
});

pageTest("by keyboard alone", {}, async ({ terminal, page }) => {
  // In this test only the page itself moves the focus to the terminal.
  const keysGoTo = (name) => until(`the keyboard with ${name}`, () => terminal.focused(), (focused) => focused === name);
  const toRequest = async () => {
    await page.keyboard.press("Control+Shift+F6");
    await keysGoTo("Not now");
  };
  await copy(terminal, "keys");
  await request(page).waitFor();
  await toRequest();
  await page.keyboard.press("Escape");
  await keysGoTo("Terminal: bash");
  assert.equal(await request(page).count(), 1, "it waits for its answer");
  await toRequest();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until("the copy", () => terminal.clipboard(), (text) => text === "keys");
  await keysGoTo("Terminal: bash");
  await page.keyboard.type("echo ty''ped\n");
  await terminal.waitForText(/^typed$/m);

  // After a click with the mouse, the focus returns as well.
  await copy(terminal, "more");
  await answer(page, "Not now");
  await keysGoTo("Terminal: bash");
});

pageTest("nothing is copied while nobody looks, and it is offered then", {}, async ({ terminal, page }) => {
  await copy(terminal, "first");
  await answer(page, "Allow for this terminal");
  await until("the copy", () => terminal.clipboard(), (text) => text === "first");
  await terminal.type(`until [ -e go ]; do sleep 0.05; done; printf '\\e]52;c;%s\\a' $(printf hidden | base64); touch gone\n`);
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForPrompt();
  const assertUnchanged = await fillClipboard(terminal);
  await terminal.run("touch go; until [ -e gone ]; do sleep 0.05; done");
  await page.keyboard.press("Control+Shift+ArrowLeft");
  await request(page).waitFor();
  await assertUnchanged();
  await answer(page, "Copy");
  await until("the copy", () => terminal.clipboard(), (text) => text === "hidden");
});

pageTest(
  "what the browser does not let the page copy is kept",
  { window: { permissions: [] }, open: false },
  async ({ terminal, page, link }) => {
    await page.addInitScript(() => {
      // As on a page that is loaded over plain HTTP from another host.
      Object.defineProperty(Navigator.prototype, "clipboard", { get: () => undefined });
      document.addEventListener("copy", (event) => (globalThis.copied = event.target.value), true);
      localStorage["limpet.settings"] = JSON.stringify({ "program-copies": "always" });
    });
    await terminal.open(link);
    await copy(terminal, "kept");
    await answer(page, "Copy");
    await until("the copy", () => page.evaluate(() => globalThis.copied), (text) => text === "kept");
    await notice(page, "Copied 4 characters");
  },
);

pageTest("only whose terminal answers the program is asked", {}, async (world) => {
  const { terminal, page } = world;
  const other = await openViewer(world, {});
  // The primary viewer's terminal answers, which is the first window's.
  await copy(terminal, "one");
  await request(page).waitFor();
  await other.terminal.waitForText(/base64/);
  assert.equal(await request(other.page).count(), 0);
});

pageTest("both questions have their pictures", { open: false }, async (world) => {
  for (const [name, options] of Object.entries({
    "dark": { colorScheme: "dark" },
    "light": { colorScheme: "light" },
    "forced": { forcedColors: "active" },
    "phone": { colorScheme: "dark", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  })) {
    // This is the only window, so it is the one that asks.
    const { terminal, page, context } = await openViewer(world, options);
    await copy(terminal, "https://example.org/a/long/address/that/goes/on");
    await request(page).waitFor();
    await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
    await world.screenshot(page, `copy-request-${name}`);
    await answer(page, "Not now");
    await terminal.run("printf '\\e]8;;https://evil.example/login?next=/account\\e\\\\https://bank.ex''ample\\e]8;;\\e\\\\\\n'");
    const { x, y } = await terminal.place("https://bank.example");
    await page.mouse.move(x, y);
    await until("a link", () => page.locator(".panel.shown [title]").count());
    await page.keyboard.down("Control");
    await page.mouse.click(x, y);
    await page.keyboard.up("Control");
    await page.getByRole("dialog").waitFor();
    await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
    await world.screenshot(page, `open-link-${name}`);
    await context.close();
  }
});
