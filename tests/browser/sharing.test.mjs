// Several viewers of one terminal: whose size it has, what guests may do, and what each of them
// sees.

import { assert, pageTest, until } from "./harness.mjs";
import { DESKTOP, LAPTOP, PHONE, invitation, openViewer, terminalSize } from "./harness/viewers.mjs";

/** The browser's own messages when the server refuses. */
const REFUSAL_ERRORS = /status of 40[134]/;

pageTest("a phone leaves the desktop's size alone until it wants its own", { window: DESKTOP }, async (world) => {
  const { terminal, page, server } = world;
  const desktop = await terminalSize(server);
  assert.ok(await page.locator(".size-note").isHidden(), "who is alone is told nothing");
  assert.ok(await page.locator(".viewers-button").isHidden());
  const phone = await openViewer(world, PHONE);
  await phone.chip.getByText(/Sized for/).waitFor();
  assert.equal(await phone.chip.locator(".size-note-size").textContent(), desktop);
  await phone.terminal.type("echo typed on the phone\n");
  await terminal.waitForText(/^typed on the phone$/m);
  assert.equal(await terminalSize(server), desktop);

  await world.screenshot(phone.page, "sharing-phone");
  await phone.chip.getByRole("button", { name: "Use my size" }).tap();
  await phone.chip.waitFor({ state: "hidden" });
  await until(
    "the phone's size",
    () => terminalSize(server),
    (now) => now !== desktop,
  );
  await page.locator(".size-note").getByText(/Sized for/).waitFor();
  await terminal.run("echo typed on the desktop");
  assert.notEqual(await terminalSize(server), desktop);

  // The phone hands the role of primary viewer back.
  await phone.page.getByRole("button", { name: "2 viewers" }).tap();
  await phone.page.getByRole("button", { name: "Use the size of your other window" }).tap();
  await until(
    "the desktop's size",
    () => terminalSize(server),
    (now) => now === desktop,
  );
  await page.locator(".size-note").waitFor({ state: "hidden" });
});

/** The browser's own messages about a missing network. */
const NETWORK_ERRORS = /net::ERR_|WebSocket connection to/;

pageTest(
  "a window that was cut off while the size changed shows what a window shows that stayed",
  { window: DESKTOP, cuttable: true },
  async (world) => {
    const { terminal, network, server, watch } = world;
    watch.tolerate(NETWORK_ERRORS);
    const stays = await openViewer(world, DESKTOP, server.url);
    // This window bypasses the network that is cut.
    stays.watch.tolerate(new RegExp(`^request to another host: \\w+://${server.url.host}/`));
    await terminal.type("echo this line is much longer than a phone is wide, so that it takes several rows there");
    await stays.terminal.waitForText("several rows there");
    const [{ id, cols, rows }] = await server.sessions();
    network.cut();
    await terminal.banner().getByText("Connection lost.").waitFor();

    await server.api("PATCH", `api/sessions/${id}`, { sizing: "fixed", cols: 40, rows: 20 });
    await stays.terminal.press("Control+a", "Control+k", "Control+y", "Control+y", "Enter");
    await stays.terminal.type("seq 30\n");
    await stays.terminal.waitForText(/^30\n/m);
    await server.api("PATCH", `api/sessions/${id}`, { cols, rows });
    await stays.terminal.type("echo back\n");

    network.restore();
    await terminal.banner().waitFor({ state: "detached" });
    await until(
      "the same in both windows and on the server",
      async () => [await terminal.text(), await stays.terminal.text(), await serverText(server)],
      (texts) => texts.every((text) => text === texts[0] && text.includes("\nback\n")),
    );
  },
);

/** Returns the server's screen, in the form in which the page shows text. */
async function serverText(server) {
  const [{ id }] = await server.sessions();
  const response = await fetch(new URL(`api/sessions/${id}/screen`, server.url), {
    headers: { authorization: `Bearer ${server.token}` },
  });
  return (await response.text()).trimEnd();
}

pageTest("a window that gives the size is resized at once, and others follow", { window: DESKTOP }, async (world) => {
  const { terminal, page, server } = world;
  const phone = await openViewer(world, PHONE);
  const before = await terminalSize(server);
  await page.setViewportSize({ width: 1000, height: 600 });
  const after = await until(
    "another size",
    () => terminalSize(server),
    (now) => now !== before,
  );
  const rows = Number(after.split(" × ")[1]);
  await until(
    "the window's rows",
    () => terminal.rows(),
    (shown) => shown.length === rows,
  );
  await until(
    "the same rows",
    () => phone.terminal.rows(),
    (shown) => shown.length === rows,
  );
  assert.equal(await phone.chip.locator(".size-note-size").textContent(), after);
});

/**
 * Returns how far a pane is scrolled over its terminal, and whether it can scroll in each
 * direction.
 */
function scrollState(page) {
  return page.locator(".panel.shown .place > .terminal").evaluate((pane) => ({
    left: pane.scrollLeft,
    top: pane.scrollTop,
    goes: [pane.scrollWidth > pane.clientWidth, pane.scrollHeight > pane.clientHeight],
  }));
}

pageTest("a larger terminal is shrunk, or scrolled with the cursor in sight", { window: DESKTOP }, async (world) => {
  const { terminal } = world;
  const small = await openViewer(world, { viewport: { width: 700, height: 400 } });
  await small.chip.getByText(/Sized for/).waitFor();
  assert.deepEqual((await scrollState(small.page)).goes, [false, false], "all of it can be seen");
  await small.terminal.command("Switch between shrinking");
  await until(
    "something to scroll to",
    () => scrollState(small.page),
    ({ goes }) => goes[0] && goes[1],
  );
  // A shell that was resized while it started learns its size with its first command.
  await terminal.run("/bin/true");
  await terminal.type("x".repeat(120));
  await until(
    "the cursor in sight",
    () => scrollState(small.page),
    ({ left }) => left > 0,
  );
  await terminal.press("Control+u");
  await until(
    "the line's beginning",
    () => scrollState(small.page),
    ({ left }) => left === 0,
  );
  // A user who scrolls away stays there.
  const { x, y, width, height } = await small.page.locator(".panel.shown .place > .terminal").boundingBox();
  await small.page.mouse.move(x + width / 2, y + height / 2);
  await small.page.mouse.wheel(200, 0);
  await until(
    "another place",
    () => scrollState(small.page),
    ({ left }) => left > 0,
  );
  await small.page.mouse.wheel(0, 200);
  await until(
    "another place",
    () => scrollState(small.page),
    ({ top }) => top > 0,
  );
  const { left } = await scrollState(small.page);
  await terminal.type("ab");
  await small.terminal.waitForText(/ready> ab$/m);
  assert.equal((await scrollState(small.page)).left, left);
  // Typing scrolls back to the cursor.
  await small.terminal.type("c");
  await until(
    "the cursor in sight",
    () => scrollState(small.page),
    (now) => now.left === 0,
  );
});

/** Swipes a finger over the terminal by this many pixels to the right and down. */
async function swipe(session, right, down) {
  const send = (type, ...touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
  await send("touchStart", { x: 200, y: 200 });
  for (let step = 1; step <= 10; step++) {
    await send("touchMove", { x: 200 + (right * step) / 10, y: 200 + (down * step) / 10 });
  }
  await send("touchEnd");
}

pageTest("a finger scrolls over a larger terminal", { window: DESKTOP }, async (world) => {
  const phone = await openViewer(world, PHONE);
  await phone.chip.getByText(/Sized for/).waitFor();
  await phone.terminal.command("Switch between shrinking");
  await until(
    "something to scroll to",
    () => scrollState(phone.page),
    ({ goes }) => goes[0],
  );
  const session = await phone.context.newCDPSession(phone.page);
  await swipe(session, -120, 0);
  await until(
    "another place",
    () => scrollState(phone.page),
    ({ left }) => left > 0,
  );
  // Vertically it works too, and past the pane's end the scrollback scrolls.
  await phone.terminal.type("seq 200\n");
  const { top } = await until(
    "the cursor in sight",
    () => scrollState(phone.page),
    ({ top }) => top > 0,
  );
  await swipe(session, 0, 60);
  await until(
    "a place further up",
    () => scrollState(phone.page),
    (now) => now.top < top,
  );
  assert.match(await phone.terminal.text(), /200\nready>$/, "the scrollback waits for its turn");
  while ((await scrollState(phone.page)).top > 0) await swipe(session, 0, 150);
  await swipe(session, 0, 150);
  await phone.terminal.waitForText(/^(?!.*200$)/s);
});

pageTest("all who watch are listed, live", { window: DESKTOP }, async (world) => {
  const { page, terminal } = world;
  const phone = await openViewer(world, { ...PHONE, userAgent: "Mozilla/5.0 (iPhone; iOS 18) Version/18 Safari/604.1" });
  await page.getByRole("button", { name: "2 viewers" }).click();
  const viewers = page.getByRole("dialog", { name: "Viewers" }).getByRole("listitem");
  await viewers.getByText("Safari on iPhone").waitFor();
  assert.deepEqual(await viewers.locator(".entry-name").allTextContents(), ["This window", "Safari on iPhone"]);
  assert.match(await viewers.nth(1).locator(".hint").textContent(), /^owner, just joined, from 127\.0\.0\.1$/);
  await world.screenshot(page, "viewers");
  await phone.page.close();
  await until(
    "one left",
    () => viewers.count(),
    (count) => count === 1,
  );
  await page.keyboard.press("Escape");
  await page.locator(".viewers-button").waitFor({ state: "hidden" });
  assert.equal(await terminal.run("echo alone"), "alone");
});

pageTest("who has a link to watch sees all and changes nothing", { window: DESKTOP }, async (world) => {
  const { terminal, server } = world;
  await terminal.run("echo for all to see");
  const reader = await openViewer(world, {}, await invitation(world, "reader"));
  await reader.terminal.waitForText(/^for all to see$/m);
  await reader.chip.getByText("View only").waitFor();
  const before = await terminalSize(server);
  await reader.terminal.type("rm nothing\n");
  await reader.page.getByText("You can view this terminal, not type in it.").waitFor();
  assert.equal(await reader.page.locator(".notice").count(), 1, "it is said once");
  await reader.page.setViewportSize({ width: 500, height: 500 });
  assert.equal(await terminal.run("echo undisturbed"), "undisturbed");
  await reader.terminal.waitForText(/^undisturbed$/m);
  assert.equal(await terminalSize(server), before);
  assert.ok(await reader.chip.getByRole("button").isHidden());
  assert.equal(new URL(reader.page.url()).hash, "");
});

pageTest("a guest types, and has none of the owner's commands", { window: DESKTOP }, async (world) => {
  const { terminal, server, page } = world;
  const guest = await openViewer(world, {}, await invitation(world, "writer"));
  await guest.terminal.type("echo from the guest\n");
  await terminal.waitForText(/^from the guest$/m);
  assert.ok(await guest.page.getByRole("button", { name: "New terminal" }).isHidden());
  await guest.page.keyboard.press("Control+Shift+P");
  const commands = await guest.page.getByRole("option").allTextContents();
  assert.ok(commands.some((text) => text.includes("Use my size")));
  for (const word of ["New terminal", "Rename tab", "Restart program", "Share"]) {
    assert.ok(!commands.some((text) => text.includes(word)), word);
  }
  await guest.page.keyboard.press("Escape");
  await guest.page.getByRole("dialog").waitFor({ state: "detached" });
  await guest.page.keyboard.press("Control+Shift+Enter");
  await guest.page.getByText("Only the owner can do that.").waitFor();
  // Closing the tab means leaving.
  await guest.page.keyboard.press("Control+Shift+X");
  await guest.page.getByText("You left this terminal.").waitFor();
  assert.equal((await server.sessions()).length, 1);
  await guest.page.getByRole("button", { name: "Rejoin" }).click();
  await guest.terminal.waitForText(/^from the guest$/m);
  // Now the owner closes the terminal.
  guest.watch.tolerate(REFUSAL_ERRORS);
  await page.keyboard.press("Control+Shift+X");
  await page.getByRole("dialog").getByRole("button", { name: "Close tab" }).click();
  await guest.terminal.banner().getByText("The owner closed this terminal.").waitFor();
  await guest.terminal.banner().getByRole("button", { name: "Leave" }).click();
  await guest.page.getByText(/has been closed|You left/).waitFor();
});

pageTest("an invitation to another terminal, and an owner who opens one", { window: DESKTOP }, async (world) => {
  const { terminal, page, server } = world;
  const first = await invitation(world, "reader");
  const guest = await openViewer(world, {}, first);
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(2);
  await terminal.run("echo the second");
  const [{ id }] = (await server.sessions()).slice(-1);
  const [pass] = await server.api("GET", `api/sessions/${id}/passes`);
  const second = new URL("/", world.link);
  second.hash = `#token=${pass.token}`;
  await guest.page.goto("about:blank");
  await guest.page.goto(second.href);
  await guest.terminal.waitForTabCount(2);
  await guest.terminal.waitForText(/^the second$/m);

  await page.goto("about:blank");
  await page.goto(first.href);
  await terminal.waitForTabCount(2);
  await page.getByRole("button", { name: "New terminal" }).waitFor();
  await terminal.run("echo still the owner");
});

pageTest("the owner shares by links, and sets the rules", { window: DESKTOP }, async (world) => {
  const { page, terminal, server } = world;
  await terminal.command("Share");
  const dialog = page.getByRole("dialog", { name: "Share" });
  await dialog.getByRole("button", { name: "Copy link: View only" }).click();
  await dialog.getByText("Copied").waitFor();
  const copied = await terminal.clipboard();
  assert.equal(copied, (await invitation(world, "reader")).href);
  await world.screenshot(page, "share");
  await dialog.getByLabel("Terminal size follows").selectOption({ label: "The smallest window" });
  await until(
    "the rule",
    () => server.sessions(),
    ([{ sizing }]) => sizing === "smallest",
  );
  await dialog.getByLabel("Slow viewers").selectOption({ label: "Skip at once" });
  await until(
    "the rule",
    () => server.sessions(),
    ([{ flow }]) => flow === "free",
  );
  await page.keyboard.press("Escape");
  const reader = await openViewer(world, {}, new URL(copied));
  await reader.chip.getByText("View only").waitFor();
});

pageTest("the size is chosen without a mouse", { window: DESKTOP }, async (world) => {
  const { page } = world;
  const other = await openViewer(world, LAPTOP);
  await other.terminal.command("Viewers");
  const dialog = other.page.getByRole("dialog", { name: "Viewers" });
  const take = dialog.getByRole("button", { name: "Use my size" });
  await take.focus();
  await other.page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Use the size of your other window" }).waitFor();
  await page.locator(".size-note").getByText("Sized for your other window").waitFor();
  await other.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await other.page.keyboard.type("echo typed\n");
  await other.terminal.waitForText(/^typed$/m);
});
