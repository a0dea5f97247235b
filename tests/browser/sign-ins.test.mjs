// Sign-ins: what a browser stores, what others get of it, and how a sign-in ends.

import { once } from "node:events";
import { createServer, request } from "node:http";

import { assert, pageTest, until } from "./harness.mjs";
import { DESKTOP, PHONE, invitation, openViewer } from "./harness/viewers.mjs";

/** The browser's own message when the server requires a login. */
const LOGIN_REQUIRED_ERROR = /status of 401/;

/** Starts a web server on another port of the same address, which records the requests it gets. */
async function startNeighbour() {
  const asked = [];
  const server = createServer((question, answer) => {
    asked.push(question.headers);
    answer.end("<!doctype html><title>a page like any other</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { asked, address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/**
 * Opens a WebSocket with this cookie, sends a hello, and returns all bytes that the server sends,
 * its close code included.
 */
async function attachAndRead(server, id, cookie, hello) {
  const headers = {
    cookie,
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-protocol": "limpet.v1",
  };
  const opening = request(new URL(`api/sessions/${id}/attach`, server.url.origin), { headers });
  opening.end();
  const [, socket] = await once(opening, "upgrade");
  const told = [];
  socket.on("data", (bytes) => told.push(bytes));
  const text = Buffer.from(JSON.stringify(hello));
  // This is a masked text frame of less than 64 KiB, with a mask of zeros (RFC 6455, 5.2).
  socket.write(Buffer.concat([Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 255, 0, 0, 0, 0]), text]));
  await once(socket, "end");
  return Buffer.concat(told);
}

pageTest("a web server on another port is sent the cookie, and gets nothing for it", {}, async (world) => {
  const { terminal, server, context, watch } = world;
  await terminal.run("echo a secret");
  const other = await startNeighbour();
  try {
    watch.tolerate(/request to another host/);
    const tab = await context.newPage();
    await tab.goto(other.address);
    const { cookie } = other.asked[0];
    assert.match(cookie, /^limpet-/, "else this shows nothing");
    const [{ id }] = await server.sessions();
    for (const path of ["api/access", "api/sessions", `api/sessions/${id}`, `api/sessions/${id}/screen`, "api/sign-ins"]) {
      const answer = await fetch(new URL(path, server.url.origin), { headers: { cookie } });
      assert.equal(answer.status, 401, path);
    }
    const hello = { type: "hello", viewer: "67e55044-10b1-426f-9247-bb680e5fe0c8", cols: 80, rows: 24 };
    for (const key of [undefined, "", cookie.split("=")[1]]) {
      const told = (await attachAndRead(server, id, cookie, { ...hello, key })).toString("latin1");
      assert.ok(told.includes('"code":"unauthorized"'), told);
      assert.ok(!/welcome|secret|bash/.test(told), told);
    }
    // That server's page can neither read what our page stores nor send requests in its name.
    assert.equal(await tab.evaluate(() => JSON.stringify(localStorage)), "{}");
    watch.tolerate(/ERR_BLOCKED_BY_RESPONSE/);
    const asked = (path) => fetch(path, { credentials: "include", mode: "no-cors" }).then(() => "answered", () => "refused");
    assert.equal(await tab.evaluate(asked, `${server.url.origin}/api/sessions`), "refused");
    await tab.close();
    assert.equal(await terminal.run("echo undisturbed"), "undisturbed");
  } finally {
    other.close();
  }
});

pageTest("who logs out is logged out in all windows", {}, async (world) => {
  const { terminal, page, context, watch } = world;
  watch.tolerate(LOGIN_REQUIRED_ERROR);
  const second = await context.newPage();
  await second.goto(page.url());
  await second.getByRole("tab").waitFor();
  await page.bringToFront();
  await terminal.command("Log out");
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await second.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  assert.deepEqual(await context.cookies(), []);
  await page.reload();
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await page.getByLabel("Link or token").fill(world.server.url.href);
  await page.getByRole("button", { name: "Log in" }).click();
  await terminal.waitForPrompt();
});

pageTest("the owner sees who is signed in, and signs others out", { window: DESKTOP }, async (world) => {
  const { terminal, page, server } = world;
  const laptop = await openViewer(world, { userAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.6 Safari/605.1.15" });
  const guest = await openViewer(world, PHONE, await invitation(world, "reader"));
  await terminal.command("Signed-in browsers");
  const dialog = page.getByRole("dialog", { name: "Signed-in browsers" });
  const rows = dialog.getByRole("listitem");
  await rows.nth(2).waitFor();
  assert.match(await rows.locator("[aria-current=true], .entry-name").first().textContent(), /Chrom|Safari/);
  assert.equal(await dialog.locator("[aria-current=true]").count(), 1);
  await dialog.getByText("Views “bash”").waitFor();
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    await world.screenshot(page, `sign-ins-${colorScheme}`);
    await page.setViewportSize(PHONE.viewport);
    await world.screenshot(page, `sign-ins-phone-${colorScheme}`);
    await page.setViewportSize(DESKTOP.viewport);
  }
  for (const { watch } of [laptop, guest]) {
    watch.tolerate(LOGIN_REQUIRED_ERROR);
    const before = await rows.count();
    await dialog.getByRole("button", { name: /^Sign out / }).first().click();
    await until(
      "one less",
      () => rows.count(),
      (count) => count === before - 1,
    );
  }
  for (const { page: theirs } of [laptop, guest]) {
    await theirs.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  }
  await page.keyboard.press("Escape");
  assert.equal(await terminal.run("echo still here"), "still here");
  assert.equal((await server.api("GET", "api/sign-ins")).length, 1);
});

pageTest("a guest logs out, and is not told who else is there", { window: DESKTOP }, async (world) => {
  const { page, chip, terminal, watch } = await openViewer(world, {}, await invitation(world, "reader"));
  watch.tolerate(LOGIN_REQUIRED_ERROR);
  await chip.getByText("View only").waitFor();
  await page.keyboard.press("Control+Shift+P");
  const commands = await page.getByRole("option").allTextContents();
  assert.ok(commands.some((text) => text.includes("Log out")));
  assert.ok(!commands.some((text) => text.includes("Signed-in browsers")));
  await page.keyboard.press("Escape");
  await terminal.command("Viewers");
  const viewers = page.getByRole("dialog", { name: "Viewers" });
  await viewers.getByText("The owner").waitFor();
  assert.equal(await viewers.getByText("127.0.0.1").count(), 1, "it knows its own address");
  await page.keyboard.press("Escape");
  await terminal.command("Log out");
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
});

pageTest("a browser that lost its key is asked for the link", {}, async ({ page, terminal, server, watch }) => {
  watch.tolerate(LOGIN_REQUIRED_ERROR);
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
  await page.getByText("it asks for the link again").waitFor();
  await page.goto("about:blank");
  await page.goto(server.url.href);
  await terminal.waitForPrompt();
  assert.equal((await server.api("GET", "api/sign-ins")).length, 1, "its earlier sign-in is gone");
});

pageTest("a browser that keeps nothing for pages works all the same", { open: false }, async (world) => {
  const { page, terminal, link, watch } = world;
  watch.tolerate(LOGIN_REQUIRED_ERROR);
  await page.addInitScript(() => {
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("not here", "SecurityError");
      },
    });
  });
  await page.goto(link.href);
  await terminal.waitForPrompt();
  assert.equal(await terminal.run("echo it works"), "it works");
  await terminal.command("New terminal");
  await terminal.waitForTabCount(2);
  await page.reload();
  await page.getByRole("heading", { name: "Log in to limpet" }).waitFor();
});
