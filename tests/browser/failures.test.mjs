// A page that loads not at all or only partly explains why, and what to do.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Server, assert, pageTest } from "./harness.mjs";
import { launchWith } from "./harness/browser.mjs";
import { PHONE } from "./harness/viewers.mjs";
import { DEADLINE_MS } from "./harness/wait.mjs";

const SCRIPT = "**/page-*.js";
const MODULE = "**/page-*.wasm";
const ANYTHING = /./;

/** Defines a test in which something keeps the page from loading. */
function explanationTest(name, prepare, words, options = {}) {
  pageTest(name, { open: false, ...options }, async (world) => {
    const { page, link, watch } = world;
    watch.tolerate(ANYTHING);
    await prepare(page, world);
    await page.goto(link.href);
    for (const text of words) await page.getByText(text).waitFor();
    await world.screenshot(page, `failure-${name.replaceAll(/\W+/g, "-")}`);
    // Once the files are available, reloading is enough.
    await page.unrouteAll();
    if (options.args) return;
    await page.getByRole("button", { name: "Reload" }).click();
    await world.terminal.waitForPrompt();
  });
}

const abortRequests = (pattern) => (page) => page.route(pattern, (route) => route.abort());
const fulfillRequests = (pattern, response) => (page) => page.route(pattern, (route) => route.fulfill(response));

explanationTest("a script that is blocked", abortRequests(SCRIPT), ["A part of this page is missing", /could not load page-[0-9a-f]+\.js/]);
explanationTest("a style sheet that is blocked", abortRequests("**/style-*.css"), ["A part of this page is missing", /could not load style-[0-9a-f]+\.css/]);
explanationTest("a module that is blocked", abortRequests(MODULE), [/could not load page-[0-9a-f]+\.wasm/]);
explanationTest("a terminal's script that is blocked", abortRequests("**/terminal-*.js*"), [/could not load terminal-[0-9a-f]+\.js/]);
explanationTest("a rest of the page that is blocked", abortRequests("**/rest-*.wasm"), [/could not load rest-[0-9a-f]+\.wasm/]);
explanationTest("a page of before an update", fulfillRequests(SCRIPT, { status: 404 }), ["limpet was updated", "This page is of an older version."]);
explanationTest("a module of before an update", fulfillRequests(MODULE, { status: 404 }), ["limpet was updated"]);
explanationTest(
  "a server that has gone meanwhile",
  async (page) => {
    for (const pattern of [SCRIPT, "**/api/**"]) await abortRequests(pattern)(page);
  },
  ["Cannot reach limpet", "Check that limpet is running"],
);
explanationTest(
  "a proxy whose server has gone meanwhile",
  async (page) => {
    for (const pattern of [SCRIPT, "**/api/**"]) await fulfillRequests(pattern, { status: 502, body: "Bad Gateway" })(page);
  },
  ["Cannot reach limpet"],
);
explanationTest("a script that is not understood", fulfillRequests(SCRIPT, { contentType: "text/javascript", body: "a syntax error" }), [
  "limpet could not start",
  /SyntaxError/,
]);
explanationTest("a browser without WebAssembly", () => {}, ["WebAssembly is switched off"], { args: ["--js-flags=--jitless"] });
explanationTest("a phone without WebAssembly", () => {}, ["WebAssembly is switched off"], {
  args: ["--js-flags=--jitless"],
  window: { ...PHONE, colorScheme: "light" },
});

pageTest("a browser without scripts is told what it needs", { open: false, window: { javaScriptEnabled: false } }, async (world) => {
  const { page, link } = world;
  await page.goto(link.href);
  const note = page.locator("noscript p");
  await note.waitFor();
  assert.match(await note.textContent(), /needs JavaScript and WebAssembly/);
  await world.screenshot(page, "failure-no-scripts");
});

pageTest("what is slow to come says so after a while, without any script", { open: false }, async (world) => {
  const { page, link } = world;
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route(SCRIPT, async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(link.href, { waitUntil: "commit" });
  await page.getByText("limpet is still loading.").waitFor();
  await world.screenshot(page, "failure-slow");
  release();
  await world.terminal.waitForPrompt();
  assert.equal(await page.getByText("limpet is still loading.").count(), 0);
});

test("a browser that blocks cookies is told so", async () => {
  const profile = await mkdtemp(join(tmpdir(), "limpet-profile-"));
  await mkdir(join(profile, "Default"));
  // As with the setting "Block all cookies": storage is forbidden to pages as well, and throws.
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  await writeFile(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
  const server = await Server.start();
  const browser = await launchWith(profile);
  try {
    browser.setDefaultTimeout(DEADLINE_MS);
    const page = await browser.newPage();
    await page.goto(server.url.href);
    await page.getByText("This browser did not keep the log-in. Allow cookies for this page").waitFor();
    await page.getByText("This browser stores nothing for this page").waitFor();
    assert.ok(await page.evaluate(() => { try { return !localStorage; } catch { return true; } }), "it is blocked");
    await page.getByLabel("Link or token").fill(server.token);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("This browser did not keep the log-in.").waitFor();
  } finally {
    await browser.close();
    await server.stop();
    await rm(profile, { recursive: true, force: true });
  }
});

pageTest("a browser whose storage throws works until it reloads, and says so", { open: false }, async (world) => {
  const { page, terminal, link, watch } = world;
  watch.tolerate(/401/);
  await page.addInitScript(() => {
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("denied", "SecurityError");
      },
    });
  });
  await terminal.open(link);
  await page.getByText("This browser stores nothing for this page.").waitFor();
  assert.equal(await terminal.run("echo works"), "works");
  await page.reload();
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await page.getByText("so it asks for the link each time").waitFor();
});

/** Changes only the fragment of the address, as a user does, and waits for the page to reload. */
async function pasteLink(page, url) {
  const loaded = page.waitForEvent("load");
  await page.evaluate((url) => void (location.href = url), url);
  await loaded;
}

pageTest("a link that is pasted into an open page logs in", { open: false }, async (world) => {
  const { page, terminal, server, link, watch } = world;
  watch.tolerate(/401/);
  // Into the address of a page that asks to log in.
  await page.goto(new URL("/", link).href);
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await pasteLink(page, link.href);
  await terminal.waitForPrompt();
  assert.equal(new URL(page.url()).hash, "");
  // Into a page that is logged in: it stays so, even with a wrong link, and the token does not stay
  // in the address.
  await terminal.run("echo before");
  for (const url of [link.href, link.href.replace(/=.*/, "=of-another-limpet")]) {
    await pasteLink(page, url);
    await terminal.waitForText(/^before$/m);
    assert.equal(new URL(page.url()).hash, "");
  }
  // An invitation opens its terminal.
  const other = await server.api("POST", "api/sessions", { command: ["sh", "-c", "echo invited; cat"] });
  const [pass] = await server.api("GET", `api/sessions/${other.id}/passes`);
  const guest = await world.window();
  await guest.terminal.page.goto(new URL("/", link).href);
  guest.watch.tolerate(/401/);
  await guest.terminal.page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await pasteLink(guest.terminal.page, new URL(`/#token=${pass.token}`, link).href);
  await guest.terminal.waitForText(/^invited$/m);
});

pageTest("a link whose server does not answer can be tried again", { open: false }, async (world) => {
  const { page, terminal, link, watch } = world;
  watch.tolerate(/ERR_FAILED|Failed to/);
  await page.route("**/api/login", (route) => route.abort());
  await page.goto(link.href);
  await page.getByRole("heading", { name: "Cannot reach limpet" }).waitFor();
  await page.unroute("**/api/login");
  await page.getByRole("button", { name: "Try again" }).click();
  await terminal.waitForPrompt();
  assert.equal(new URL(page.url()).hash, "");
});

pageTest("a mistyped address gives a page", { open: false }, async (world) => {
  const { page, terminal, link, watch } = world;
  watch.tolerate(/40[134]/);
  await page.goto(new URL("/mistyped", link).href);
  await page.getByRole("heading", { name: "There is nothing at this address" }).waitFor();
  await world.screenshot(page, "failure-mistyped");
  await page.goto(new URL("/api/sessions", link).href);
  await page.getByRole("heading", { name: "You are not logged in" }).waitFor();
  await page.getByRole("link", { name: "Open limpet" }).click();
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await page.getByLabel("Link or token").fill(link.href);
  await page.keyboard.press("Enter");
  await terminal.waitForPrompt();
});

pageTest("a program that cannot be started is said in the middle of the page", { command: ["nosuchprogram"], open: false }, async (world) => {
  const { page, link, server, watch } = world;
  watch.tolerate(/422/);
  await page.goto(link.href);
  const problem = page.locator(".empty [role=alert]");
  await problem.getByText("The terminal could not be started").waitFor();
  await problem.getByText("Could not start nosuchprogram: No such file or directory").waitFor();
  await problem.getByText("installed in a directory of limpet's PATH").waitFor();
  await world.screenshot(page, "failure-program");
  assert.match(server.log(), /could not start nosuchprogram/);
  const box = await problem.boundingBox();
  const { width, height } = page.viewportSize();
  assert.ok(Math.abs(box.x + box.width / 2 - width / 2) < 20 && Math.abs(box.y + box.height / 2 - height / 2) < 120);
  await page.getByRole("button", { name: "Try again" }).click();
  await problem.getByText("Could not start nosuchprogram").waitFor();
});
