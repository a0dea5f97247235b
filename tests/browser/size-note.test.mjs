// A terminal whose size is not the window's: what the page shows and announces, and what the user
// can do.

import { assert, pageTest, until } from "./harness.mjs";
import { DESKTOP, PHONE, invitation, openViewer, terminalSize } from "./harness/viewers.mjs";

/** Reports whether a text is completely visible. */
function isWhole(words) {
  return words.evaluate((element) => element.scrollWidth <= element.clientWidth);
}

pageTest("a phone says in whole words whose size its terminal has", { window: DESKTOP }, async (world) => {
  const phone = await openViewer(world, PHONE);
  const words = phone.chip.locator(".size-note-text");
  await words.getByText("Sized for your other window", { exact: true }).waitFor();
  assert.ok(await isWhole(words), "the words are cut");
  await world.screenshot(phone.page, "another-size");
  const guest = await openViewer(
    world,
    { ...PHONE, viewport: { width: 320, height: 600 } },
    await invitation(world, "reader"),
  );
  await guest.chip.getByText("View only").waitFor();
  assert.ok(await isWhole(guest.chip.locator(".size-note-text")), "the words are cut");
});

pageTest("who is left alone with another's size gets their own by itself", { window: DESKTOP }, async (world) => {
  const { page, server } = world;
  const phone = await openViewer(world, PHONE);
  await phone.chip.getByText("Sized for your other window").waitFor();
  const before = await terminalSize(server);
  // A viewer that reloads the page has not left.
  await page.reload();
  await page.locator(".panel.shown .xterm-rows").waitFor();
  await phone.chip.getByText("Sized for your other window").waitFor();
  assert.equal(await terminalSize(server), before);
  await page.close();
  await phone.chip.waitFor({ state: "hidden" });
  await until(
    "its own size",
    () => terminalSize(server),
    (now) => now !== before,
  );
  await phone.page.keyboard.type("stty size\n");
  await phone.terminal.waitForText((await terminalSize(server)).split(" × ").reverse().join(" "));
});

const FIXED = { window: DESKTOP, flags: ["--sizing", "fixed"] };

pageTest("a fixed size is explained, and the owner's to change", FIXED, async (world) => {
  const { page, terminal, server } = world;
  const chip = page.locator(".size-note");
  await chip.getByText("Fixed size").waitFor();
  assert.equal(await terminalSize(server), "80 × 24");
  const guest = await openViewer(world, PHONE, await invitation(world, "writer"));
  await guest.chip.getByText("Fixed size").waitFor();
  assert.ok(await guest.chip.getByRole("button").isHidden(), "a guest decides on nothing");
  await guest.terminal.command("Use my size");
  await guest.page.getByText("The owner sets this terminal's size.").waitFor();

  await terminal.command("Use my size");
  await chip.waitFor({ state: "hidden" });
  const fitted = await terminalSize(server);
  assert.notEqual(fitted, "80 × 24");
  await terminal.command("Use my size");
  await page.getByText("This terminal has this window's size already.").waitFor();
  await page.setViewportSize({ width: 1000, height: 600 });
  await chip.getByRole("button", { name: "Use my size" }).waitFor();
  assert.equal(await terminalSize(server), fitted, "it is fixed");
  await chip.getByRole("button", { name: "Use my size" }).click();
  await until(
    "another size",
    () => terminalSize(server),
    (now) => now !== fitted,
  );
  await page.keyboard.type("echo typed at once\n");
  await terminal.waitForText(/^typed at once$/m);
});

pageTest(
  "a rule that was changed elsewhere is learnt before something is done about it",
  { window: DESKTOP },
  async (world) => {
    const { terminal, page, server } = world;
    const [{ id }] = await server.sessions();
    await server.api("PATCH", `api/sessions/${id}`, { sizing: "fixed", cols: 60, rows: 10 });
    const chip = page.locator(".size-note");
    await chip.getByText("Fixed size").waitFor();
    await server.api("PATCH", `api/sessions/${id}`, { sizing: "smallest" });
    await until(
      "the window's own size",
      () => terminalSize(server),
      (now) => now !== "60 × 10",
    );
    await chip.waitFor({ state: "hidden" });
    assert.equal(await terminal.run("echo well"), "well");
  },
);

pageTest(
  "a window that is resized keeps showing a size that was fixed as it is",
  { window: DESKTOP },
  async (world) => {
    const { page, terminal, server } = world;
    const [{ id }] = await server.sessions();
    const fixed = await terminalSize(server);
    const chip = page.locator(".size-note");
    // Another client fixes the size, so that this page learns about it only from the size itself.
    await server.api("PATCH", `api/sessions/${id}`, { sizing: "fixed" });
    await page.setViewportSize({ width: 1000, height: 600 });
    await chip.getByText("Fixed size").waitFor();
    assert.equal(await chip.locator(".size-note-size").textContent(), fixed);
    assert.equal((await terminal.rows()).length, Number(fixed.split(" × ")[1]));
    await page.setViewportSize(DESKTOP.viewport);
    await chip.waitFor({ state: "hidden" });
    // The page does not know this rule yet when it has to fit the terminal.
    await page.setViewportSize({ width: 1000, height: 600 });
    await chip.waitFor();
    await server.api("PATCH", `api/sessions/${id}`, { sizing: "owner" });
    await chip.waitFor({ state: "hidden" });
    assert.notEqual(await terminalSize(server), fixed);
  },
);

pageTest("why a terminal cannot be fitted follows the rule of now", FIXED, async (world) => {
  const { page, terminal, server } = world;
  await page.locator(".size-note").getByText("Fixed size").waitFor();
  const phone = await openViewer(world, PHONE);
  await phone.chip.waitFor();
  const [{ id }] = await server.sessions();
  await server.api("PATCH", `api/sessions/${id}`, { sizing: "smallest" });
  await terminal.command("Use my size");
  await page.getByText("The smallest window sets this terminal's size.").waitFor();
});

/** Records all announcements about the size from now on. */
async function recordAnnouncements(page) {
  const region = page.locator(".size-note + [role=status]");
  await region.evaluate((region) => {
    window.heard = [];
    const observer = new MutationObserver(() => window.heard.push(region.textContent));
    observer.observe(region, { childList: true, characterData: true, subtree: true });
  });
  return () => page.evaluate(() => window.heard);
}

pageTest("that the size is another window's is said once, and nothing else is", { window: DESKTOP }, async (world) => {
  const { page } = world;
  const announcements = await recordAnnouncements(page);
  const viewersButton = (count) => page.getByRole("button", { name: `${count} viewers` });
  const phone = await openViewer(world, PHONE);
  await viewersButton(2).waitFor();
  const third = await openViewer(world, DESKTOP);
  await viewersButton(3).waitFor();
  await third.page.close();
  await viewersButton(2).waitFor();
  await phone.page.setViewportSize({ width: 400, height: 700 });
  await phone.chip.getByRole("button", { name: "Use my size" }).tap();
  await page
    .locator(".size-note")
    .getByText(/Sized for/)
    .waitFor();
  const fourth = await openViewer(world, DESKTOP);
  await viewersButton(3).waitFor();
  await phone.page.setViewportSize({ width: 360, height: 740 });
  await fourth.page.close();
  await viewersButton(2).waitFor();
  await page.locator(".size-note").getByRole("button", { name: "Use my size" }).click();
  await page.locator(".size-note").waitFor({ state: "hidden" });
  assert.deepEqual(await announcements(), ["The terminal is sized for your other window", "The terminal now has this window's size"]);
});
