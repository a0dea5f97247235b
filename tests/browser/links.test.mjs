// Links in program output.

import { assert, pageTest, until } from "./harness.mjs";

/**
 * The browser's request for the default icon. A window that shows an API response is not a page, so
 * it names no icon.
 */
const ICON_REQUEST = /favicon\.ico/;

/** Moves the mouse to a link. */
async function pointAt(terminal, text) {
  const { x, y } = await terminal.place(text);
  // xterm.js checks for links again only when the mouse enters another cell.
  await terminal.page.mouse.move(x, y + 200);
  await terminal.page.mouse.move(x, y);
  await until("the link's address", () => terminal.page.locator(".panel.shown [title]").count());
  return { x, y };
}

/** Opens a link as users do. */
async function openLink(terminal, text) {
  const { x, y } = await pointAt(terminal, text);
  await terminal.page.keyboard.down("Control");
  await terminal.page.mouse.click(x, y);
  await terminal.page.keyboard.up("Control");
}

/** Opens a link, and returns the address of the new window. */
async function followLink(terminal, context, text) {
  const opened = context.waitForEvent("page");
  await openLink(terminal, text);
  const window = await opened;
  await window.waitForLoadState();
  const address = window.url();
  assert.equal(await window.evaluate(() => window.opener), null);
  await window.close();
  return address;
}

pageTest("addresses in text are links", {}, async ({ terminal, context, link, watch }) => {
  watch.tolerate(ICON_REQUEST);
  const health = new URL("api/health", new URL("/", link)).href;
  await terminal.run(`clear; echo see ${health}.`);
  assert.equal(await followLink(terminal, context, "http://"), health);
});

pageTest(
  "a program's own links lead where they say, if that is harmless",
  {},
  async ({ terminal, context, page, link, watch }) => {
    watch.tolerate(ICON_REQUEST);
    const health = new URL("api/health", new URL("/", link)).href;
    await terminal.run(`printf '\\e]8;;${health}\\e\\\\\\\\harm''less\\e]8;;\\e\\\\\\\\\\n'`);
    assert.equal(await followLink(terminal, context, "harmless"), health);
    await terminal.run("printf '\\e]8;;javascript:document.title=1\\e\\\\\\\\harm''ful\\e]8;;\\e\\\\\\\\\\n'");
    const windows = context.pages().length;
    await openLink(terminal, "harmful");
    assert.equal(await terminal.run("echo unharmed"), "unharmed");
    assert.equal(context.pages().length, windows);
    assert.notEqual(await page.title(), "1");
  },
);

/**
 * Returns a command that prints a hyperlink (OSC 8) whose text does not occur in the command line.
 */
const osc8 = (uri, text) => `printf '\\e]8;;${uri}\\e\\\\%s\\e]8;;\\e\\\\\\n' ${text.slice(0, 3)}''${text.slice(3)}`;

/** Opens a link that needs confirmation, and returns the dialog. */
async function openQuestion(terminal, text) {
  await openLink(terminal, text);
  return terminal.page.getByRole("dialog", { name: "Open this link?" });
}

pageTest(
  "a link whose text is another host's address is opened only by who has seen its own",
  {},
  async ({ terminal, context, page, link, watch }) => {
    watch.tolerate(ICON_REQUEST);
    const { host } = new URL("/", link);
    const health = `http://${host}/api/health`;
    const windows = context.pages().length;
    for (const [uri, text, says] of [
      [health, "https://bank.example", /names bank\.example/],
      [health, "bank.example/login", /names bank\.example/],
      [health, "localhost:80", /names localhost/],
      [`http://bank.example@${host}/api/health`, "harmless", /“bank\.example” is only a user name/],
      ["https://xn--pple-43d.example/", "apple", /can look like others/],
      ["https://аррӏе.example/", "apple", /can look like others/],
      ["mailto:thief@evil.example", "help@bank.example", /names help@bank\.example/],
    ]) {
      await terminal.run(osc8(uri, text));
      const dialog = await openQuestion(terminal, text);
      await dialog.waitFor();
      assert.match(await dialog.textContent(), says);
      assert.ok((await dialog.locator(".address").textContent()).includes(new URL(uri).href), uri);
      // The harmless answer has the focus.
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
      await page.keyboard.press("Enter");
      await dialog.waitFor({ state: "detached" });
      assert.equal(context.pages().length, windows, text);
    }
    // A link on a part of an address is treated as part of that address.
    await terminal.run(`printf 'htt''ps://ba\\e]8;;${health}\\e\\\\%s\\e]8;;\\e\\\\mple\\n' n''k.exa`);
    const dialog = await openQuestion(terminal, "nk.exa");
    await dialog.waitFor();
    assert.match(await dialog.textContent(), /names bank\.example/);
    const opened = context.waitForEvent("page");
    await dialog.getByRole("button", { name: "Open link" }).click();
    const window = await opened;
    await window.waitForLoadState();
    assert.equal(window.url(), health);
    assert.equal(await window.evaluate(() => window.opener), null);
    await window.close();
    assert.equal(await terminal.run("echo typed"), "typed");
    // A text with the link's own address or with no address needs no question.
    for (const text of [health, host, `www.${host}`.replace("www.", ""), "a/b#7"]) {
      await terminal.run(osc8(health, text));
      assert.equal(await followLink(terminal, context, text), health);
    }
  },
);

pageTest("an address that only begins like another one is asked about", {}, async ({ terminal, link }) => {
  const { host } = new URL("/", link);
  await terminal.run(`clear; echo see http://bank.example@${host}/api/health`);
  const dialog = await openQuestion(terminal, "http://bank");
  await dialog.waitFor();
});

pageTest("an address may have parentheses, in pairs", {}, async ({ terminal, link }) => {
  const base = new URL("/", link).href;
  for (const [text, address] of [
    [`${base}wiki/Rust_(language)`, `${base}wiki/Rust_(language)`],
    [`${base}wiki/Rust_(language)/x_(a(b)c)?q=(1)#f`, `${base}wiki/Rust_(language)/x_(a(b)c)?q=(1)#f`],
    [`(see ${base}wiki/Rust_(language)).`, `${base}wiki/Rust_(language)`],
    [`(${base}a)`, `${base}a`],
    [`[x](${base}b_(c)), and`, `${base}b_(c)`],
    [`${base}d_(e`, `${base}d_`],
    [`${base}${"(".repeat(300)}`, base],
  ]) {
    await terminal.run(`echo '${text}'`);
    await pointAt(terminal, "http:");
    const title = await terminal.page.locator(".panel.shown [title]").getAttribute("title");
    assert.equal(title.split("\n")[0], new URL(address).href);
    await terminal.page.mouse.move(5, 400);
  }
});

pageTest("only the left button opens a link, and only with Ctrl", {}, async ({ terminal, context, link, watch, page }) => {
  watch.tolerate(ICON_REQUEST);
  const health = new URL("api/health", new URL("/", link)).href;
  await terminal.run(`clear; echo see ${health}.`);
  const { x, y } = await pointAt(terminal, "http://");
  const windows = context.pages().length;
  for (const button of ["left", "middle", "right"]) await page.mouse.click(x, y, { button });
  await page.keyboard.down("Control");
  for (const button of ["middle", "right"]) await page.mouse.click(x, y, { button });
  // A button that was pressed elsewhere opens nothing either.
  await page.mouse.move(x, y + 100);
  await page.mouse.down();
  await page.mouse.move(x, y);
  await page.mouse.up();
  await page.keyboard.up("Control");
  await page.keyboard.press("Escape");
  assert.equal(await terminal.run("echo typed"), "typed");
  assert.equal(context.pages().length, windows);
  await terminal.run(`clear; echo see ${health}.`);
  assert.equal(await followLink(terminal, context, "http://"), health);
});

pageTest("a program that reads the mouse does not hear of a link that is opened", {}, async ({ terminal, context, link, watch, page }) => {
  watch.tolerate(ICON_REQUEST);
  const health = new URL("api/health", new URL("/", link)).href;
  for (const mode of [1000, 1002, 1003]) {
    await terminal.waitForPrompt();
    await terminal.type(`clear; printf '\\033[?${mode}h\\033[?1006h${health} '; stty -echo -icanon; cat -v\n`);
    await terminal.waitForText(/^http:\S+health$/);
    assert.equal(await followLink(terminal, context, "http://"), health);
    assert.doesNotMatch(await terminal.text(), /\[<(0|16);/);
    // Any other click goes to the program.
    const { x, y } = await pointAt(terminal, "http://");
    await page.mouse.click(x, y);
    await terminal.waitForText(/\[<0;[\d;]+M[^]*\[<0;[\d;]+m/);
    await terminal.press("Control+c");
    await terminal.type("stty sane; printf '\\033[?1000l\\033[?1006l'; clear\n");
  }
});

pageTest("a link that is not opened says why", {}, async ({ terminal, context, page }) => {
  const windows = context.pages().length;
  const says = (text) => page.locator(".notices", { hasText: text }).waitFor();
  await terminal.run(osc8("file:///etc/passwd", "passwords"));
  await openLink(terminal, "passwords");
  await says("This link is a file on limpet's machine.");
  await page.locator(".notices button").first().click();
  await terminal.run("echo file:///etc/hosts");
  await openLink(terminal, "file:");
  await says("This link is a file on limpet's machine.");
  await terminal.run(osc8("ssh://example.org", "elsewhere"));
  await openLink(terminal, "elsewhere");
  await says("Links that begin with “ssh:” are not opened");
  assert.equal(context.pages().length, windows);
});

pageTest("a finger opens a link without a key", { window: { hasTouch: true, isMobile: true } }, async (world) => {
  const { terminal, context, link, watch, page } = world;
  watch.tolerate(ICON_REQUEST);
  const health = new URL("api/health", new URL("/", link)).href;
  await terminal.run(`clear; echo see ${health}.`);
  const { x, y } = await terminal.place("http://");
  const opened = context.waitForEvent("page");
  await page.touchscreen.tap(x, y);
  assert.equal((await opened).url() || health, health);
});
