// From the link to the prompt: the terminal is there before the page around it, and nothing is lost
// when the page follows.

import { assert, pageTest, until } from "./harness.mjs";
import { PHONE, invitation } from "./harness/viewers.mjs";

const STARTUP_PANE = ".skeleton .xterm-rows";
const PAGE = "**/page-*.wasm";
const LAZY_PAGE = "**/rest-*.wasm";

/**
 * Holds back a part of the page, by default everything but the first terminal. Returns a function
 * that releases it.
 */
async function holdBack(page, part = LAZY_PAGE) {
  let release;
  const released = new Promise((done) => (release = done));
  await page.route(part, async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

pageTest("a terminal can be used before the page around it is there", { open: false }, async (world) => {
  const { page, terminal } = world;
  const release = await holdBack(page);
  await page.goto(world.link.href);
  await page.locator(STARTUP_PANE).getByText("ready>").waitFor();
  await page.keyboard.type("echo before $COLUMNS $LINES\n");
  const said = /^before \d+ \d+$/m;
  await until("an echo", () => page.locator(`${STARTUP_PANE} > div`).allTextContents(), (rows) => said.test(rows.join("\n")));
  await world.screenshot(page, "opening-early");
  assert.equal(await page.getByRole("tab").count(), 0);
  release();
  await page.getByRole("tab").waitFor();
  await terminal.waitForText(said);
  const before = said.exec(await terminal.text())[0];
  await world.screenshot(page, "opening-late");

  // The focus is still in the terminal, and the terminal's size has not changed.
  await page.keyboard.type("clear; echo before $COLUMNS $LINES; echo after\n");
  await terminal.waitForText(/^after$/m);
  assert.ok((await terminal.text()).includes(before), `${before}\n${await terminal.text()}`);
});

pageTest("who types while the page comes loses no key", { open: false, command: ["cat"] }, async (world) => {
  const { page, terminal } = world;
  const release = await holdBack(page);
  await page.goto(world.link.href);
  await page.locator(".skeleton textarea:focus").waitFor({ state: "attached" });
  const text = "the-quick-brown-fox-jumps-over-the-lazy-dog,".repeat(4);
  const typed = page.keyboard.type(text, { delay: 5 });
  release();
  await typed;
  await page.getByRole("tab").waitFor();
  await page.keyboard.press("Enter");
  await until("all keys", async () => (await terminal.text()).replaceAll("\n", ""), (seen) => seen.includes(text + text));
});

pageTest("who comes back is connected before the page is there", {}, async ({ page, terminal }) => {
  await terminal.run("echo here");
  const release = await holdBack(page, PAGE);
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.reload({ waitUntil: "commit" });
  await until("a connection", () => sockets.length, (count) => count > 0);
  release();
  await page.getByRole("tab").waitFor();
  await terminal.waitForText(/^here$/m);
  await terminal.run("echo and here");
  // The page continues with this connection.
  assert.equal(sockets.length, 1, sockets.join("\n"));
});

/** Records the messages that the page sends over its WebSockets, in order. */
function recordSentMessages(page) {
  const said = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => said.push(String(payload))));
  return said;
}

pageTest("who comes back has said hello before the page is there", {}, async ({ page, terminal }) => {
  await terminal.run("echo here");
  const release = await holdBack(page, PAGE);
  const said = recordSentMessages(page);
  await page.reload({ waitUntil: "commit" });
  await until("a hello", () => said, ([first]) => first?.includes('"hello"'));
  release();
  await terminal.waitForText(/^here$/m);
  await terminal.run("echo and here");
  const counted = (type) => said.filter((message) => message.includes(`"type":"${type}"`)).length;
  assert.deepEqual([counted("hello"), counted("resize")], [1, 0], said.join("\n"));
});

pageTest("a size that is no longer right is put right", {}, async ({ page, terminal }) => {
  const size = await terminal.run("stty size");
  await page.evaluate(() => {
    const kept = JSON.parse(localStorage["limpet.size"]);
    kept.size = { ...kept.size, cols: 60, rows: 10 };
    localStorage["limpet.size"] = JSON.stringify(kept);
  });
  const said = recordSentMessages(page);
  await page.reload();
  await page.getByRole("tab").waitFor();
  await until("the size to be told", () => said, (all) => all.some((message) => message.includes('"resize"')));
  assert.match(said[0], /"cols":60,"rows":10/);
  assert.equal(await terminal.run("stty size"), size);
});

pageTest("what makes no sense in the browser's memory does no harm", {}, async ({ page, terminal }) => {
  await terminal.run("echo here");
  await page.evaluate(() => (localStorage["limpet.size"] = '{"extent":'));
  await page.reload();
  await terminal.waitForText(/^here$/m);
  await terminal.run("echo and here");
});

pageTest("xterm.js is asked for again when it fails to come", { open: false }, async (world) => {
  const { page, terminal, watch } = world;
  let refused = 0;
  await page.route("**/terminal-*.js*", (route) => (refused++ < 2 ? route.abort() : route.continue()));
  watch.tolerate(/terminal-[0-9a-f]+\.js|ERR_FAILED|Failed to fetch/);
  await page.goto(world.link.href);
  await page.getByRole("tab").waitFor();
  assert.equal(refused, 3);
  await terminal.run("echo here");
});

pageTest("a page that fails to come is asked for again", { open: false }, async (world) => {
  const { page, terminal, watch } = world;
  let refused = 0;
  await page.route(LAZY_PAGE, (route) => (refused++ < 2 ? route.abort() : route.continue()));
  watch.tolerate(/rest-[0-9a-f]+\.wasm|ERR_FAILED|Failed to fetch/);
  await page.goto(world.link.href);
  await page.getByRole("tab").waitFor();
  assert.equal(refused, 3);
  await terminal.run("echo here");
});

for (const [who, may] of [["a finger", "writer"], ["a finger that can only view", "reader"]]) {
  pageTest(`${who} finds the terminal where it stays`, {}, async (world) => {
    const link = await invitation(world, may);
    const { page } = (await world.window(PHONE)).terminal;
    const release = await holdBack(page);
    await page.goto(link.href);
    await page.locator(STARTUP_PANE).getByText("ready>").waitFor();
    const startupBox = await page.locator(".place > .terminal").boundingBox();
    await world.screenshot(page, `opening-early-phone-${may}`);
    release();
    await page.locator(".workspace").waitFor();
    assert.deepEqual(await page.locator(".panel.shown .place > .terminal").boundingBox(), startupBox);
    assert.equal(await page.locator(".key-bar").isVisible(), may === "writer");
  });
}
