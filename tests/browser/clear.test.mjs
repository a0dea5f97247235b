// A terminal that is cleared or reset, for everybody and for good.

import { assert, pageTest, until } from "./harness.mjs";
import { DESKTOP, invitation, openViewer } from "./harness/viewers.mjs";

/** Returns the whole text of a terminal, scrollback included. */
async function wholeText(terminal) {
  await terminal.focus();
  await terminal.page.keyboard.press("Control+Shift+A");
  await terminal.page.keyboard.press("Control+Shift+C");
  await terminal.page.locator(".panel.shown .xterm-helper-textarea").press("Escape");
  return terminal.clipboard();
}

pageTest("what is cleared is gone for all, and does not come back", {}, async (world) => {
  const { terminal, page, server } = world;
  const other = await openViewer(world, DESKTOP);
  await terminal.type("clear; seq 200; echo SEC''RET\n");
  await terminal.waitForText(/SECRET\nready>$/);
  await other.terminal.waitForText(/SECRET\nready>$/);
  await terminal.type("kept");
  await terminal.waitForText(/ready> kept$/);
  await page.keyboard.press("Control+Shift+K");
  for (const viewer of [terminal, other.terminal]) {
    await until("the cleared terminal", () => viewer.text(), (text) => text === "ready> kept");
    assert.equal(await wholeText(viewer), "ready> kept");
  }
  await page.reload();
  await until("the same after a reload", () => terminal.text(), (text) => text === "ready> kept");
  assert.equal(await wholeText(terminal), "ready> kept");
  await server.kill();
  await page.reload();
  await until("the same after a kill", () => terminal.text(), (text) => text === "ready> kept");
  await terminal.type(" echo\x15echo alive\n");
  await terminal.waitForText(/^alive$/m);
});

pageTest("who may only watch clears nothing", {}, async (world) => {
  await world.terminal.run("echo there");
  const guest = await openViewer(world, DESKTOP, await invitation(world, "reader"));
  await guest.page.keyboard.press("Control+Shift+K");
  await guest.page.locator(".notices").getByText(/./).first().waitFor();
  await guest.page.keyboard.press("Control+Shift+P");
  await guest.page.getByRole("combobox").fill("reset terminal");
  await guest.page.getByText("No matches.").waitFor();
  await guest.terminal.waitForText("there");
});

/** Checks that a prompt works: mouse and keys would have no such effect if a mode had stayed on. */
async function assertUsable(terminal) {
  await terminal.press("Control+u");
  const { x, y } = await terminal.place("ready>");
  await terminal.page.mouse.move(x + 40, y + 20);
  await terminal.page.mouse.click(x + 80, y + 60);
  await terminal.type("echo us''able\n");
  await terminal.waitForText(/^usable$/m);
}

for (const [what, modes] of [
  ["kitty's keyboard protocol", "\\033[>31u"],
  ["the mouse", "\\033[?1003h\\033[?1006h"],
]) {
  pageTest(`a killed program that had switched on ${what} leaves a prompt that works`, {}, async ({ terminal, page }) => {
    await terminal.type(`sh -c 'printf "${modes}"; kill -9 $$'\n`);
    await terminal.waitForText(/Killed[^\n]*\nready>$/);
    await until(
      "the end of the mouse's reports",
      () => page.locator(".panel.shown .enable-mouse-events").count(),
      (count) => count === 0,
    );
    // A person types later than this. Here the keys come once the modes are known to be gone.
    await page.reload();
    await terminal.waitForText(/ready>$/);
    await assertUsable(terminal);
  });

  pageTest(`Reset terminal ends ${what}, for a reload too`, {}, async ({ terminal, page }) => {
    // In a nested shell, modes are not reset automatically.
    await terminal.type(`dash -c 'printf "${modes}\\033[?1049hfull"; read x; read y'\n`);
    await terminal.waitForText("full");
    await terminal.command("Reset terminal");
    await terminal.waitForText(/dash -c/);
    await page.reload();
    await terminal.waitForText(/dash -c/);
    await page.locator(".panel.shown .xterm-helper-textarea").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await terminal.waitForText(/ready>$/);
    await assertUsable(terminal);
  });
}

/** Prints so much while the network is cut that some of it is not kept. */
async function skipOutput({ terminal, page, server, network }, name) {
  await terminal.type(`clear; while [ ! -e ${name} ]; do sleep 0.05; done; seq 900000; touch ${name}.done\n`);
  await until("the loop", () => server.running(), (names) => names.includes("sleep"));
  network.cut();
  await terminal.banner().getByText("Connection lost.").waitFor();
  await server.file(name, "");
  await until("the end of it", () => server.exists(`${name}.done`));
  network.restore();
  await terminal.waitForText(/900000\nready>$/);
  await page.locator(".skipped-output").waitFor();
}

pageTest("what was skipped is no news once the terminal was cleared, or after a while", { cuttable: true }, async (world) => {
  const { terminal, page, watch } = world;
  watch.tolerate(/net::ERR_|WebSocket connection to/);
  await skipOutput(world, "first");
  await terminal.type("clear\n");
  await page.locator(".skipped-output").waitFor({ state: "detached" });
  await skipOutput(world, "second");
  await page.locator(".skipped-output").waitFor({ state: "detached" });
});
