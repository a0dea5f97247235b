// The sharing dialogs: errors appear beside their cause, and keys and fingers reach every control.

import { assert, pageTest, until } from "./harness.mjs";
import { DESKTOP, LAPTOP, PHONE, openViewer } from "./harness/viewers.mjs";

/** The browser's own message about a request that this test has cut. */
const REQUEST_CUT_ERROR = /net::ERR_FAILED/;

/** Cuts a page's requests with this method until the returned function is called. */
async function cutRequests({ page, watch }, method, path) {
  watch.tolerate(REQUEST_CUT_ERROR);
  await page.route(path, (route) => (route.request().method() === method ? route.abort() : route.continue()));
  return () => page.unroute(path);
}

pageTest("a name that could not be given stays in its field, with the reason", {}, async (world) => {
  const { page, terminal } = world;
  const restore = await cutRequests(world, "PATCH", "**/api/sessions/*");
  await terminal.command("Rename");
  const dialog = page.getByRole("dialog", { name: "Rename tab" });
  await dialog.getByLabel("Name").fill("a long name that nobody wants to type twice");
  await page.keyboard.press("Enter");
  await dialog
    .getByRole("alert")
    .getByText(/Cannot reach limpet/)
    .waitFor();
  assert.equal(await dialog.getByLabel("Name").inputValue(), "a long name that nobody wants to type twice");
  await restore();
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  await until(
    "the name",
    () => terminal.tabs(),
    ([name]) => name.startsWith("a long name"),
  );
  await page.keyboard.type("echo typed at once\n");
  await terminal.waitForText(/^typed at once$/m);
});

pageTest("a rule that could not be set says so below it, and shows the one that holds", {}, async (world) => {
  const { page, terminal, server } = world;
  const restore = await cutRequests(world, "PATCH", "**/api/sessions/*");
  await terminal.command("Share");
  const dialog = page.getByRole("dialog", { name: "Share" });
  const sizing = dialog.getByLabel("Terminal size follows");
  const problem = dialog.getByRole("alert").getByText(/Not changed. Cannot reach limpet/);
  await sizing.selectOption({ label: "The smallest window" });
  await problem.waitFor();
  await world.screenshot(page, "share-problem");
  assert.equal(await sizing.locator("option:checked").textContent(), "A chosen window");
  await restore();
  await sizing.selectOption({ label: "The smallest window" });
  await problem.waitFor({ state: "detached" });
  await until(
    "the rule",
    () => server.sessions(),
    ([{ sizing }]) => sizing === "smallest",
  );
  assert.equal(await sizing.locator("option:checked").textContent(), "The smallest window");
});

pageTest("links that could not be had are asked for again", {}, async (world) => {
  const { page, terminal } = world;
  const restore = await cutRequests(world, "GET", "**/api/sessions/*/passes");
  await terminal.command("Share");
  const dialog = page.getByRole("dialog", { name: "Share" });
  await dialog
    .getByRole("alert")
    .getByText(/Cannot reach limpet/)
    .waitFor();
  await restore();
  await dialog.getByRole("button", { name: "Try again" }).click();
  await dialog.getByRole("button", { name: "Copy link: View only" }).waitFor();
});

pageTest("what the server refuses is said in the dialog that is open", { window: DESKTOP }, async (world) => {
  const { terminal } = await world.window(DESKTOP);
  const { page } = terminal;
  // The page chooses the window of a viewer that has just left.
  await page.routeWebSocket(/./, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) =>
      server.send(
        typeof message === "string" && message.includes('"type":"primary"') ? '{"type":"primary","to":9999}' : message,
      ),
    );
  });
  await terminal.open(world.link);
  await terminal.command("Viewers");
  const dialog = page.getByRole("dialog", { name: "Viewers" });
  await dialog.getByRole("button", { name: "Use my size" }).click();
  const notice = dialog.getByRole("alert").locator(".notice");
  await notice.waitFor();
  assert.equal(await page.locator(".notice").count(), 1, "and nowhere else");
  await notice.getByRole("button", { name: "Dismiss" }).click();
  await notice.waitFor({ state: "detached" });
});

/** Presses Tab until the focus is on the target. */
async function tabTo(page, target) {
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error("Tab does not reach the target");
}

/** Runs a command with keys alone, wherever the focus is. */
async function runCommand(page, title) {
  await page.keyboard.press("Control+Shift+P");
  await page.getByRole("combobox").waitFor();
  await page.keyboard.type(title);
  await page.getByRole("option", { selected: true }).getByText(title).waitFor();
  await page.keyboard.press("Enter");
}

/** Leaves a dialog with Escape, and types in the terminal. */
async function backToTerminal(page, terminal, dialog, word) {
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.keyboard.type(`echo ${word}\n`);
  await terminal.waitForText(new RegExp(`^${word}$`, "m"));
}

pageTest("keys alone share a terminal and set its rules", {}, async (world) => {
  const { page, terminal, server } = world;
  await runCommand(page, "Share");
  const dialog = page.getByRole("dialog", { name: "Share" });
  const copy = dialog.getByRole("button", { name: "Copy link: View only" });
  await copy.waitFor();
  await tabTo(page, copy);
  assert.notEqual(await copy.evaluate((button) => getComputedStyle(button).outlineStyle), "none", "a ring shows where");
  await page.keyboard.press("Enter");
  await dialog.getByText("Copied").waitFor();
  assert.match(await terminal.clipboard(), /#token=reader\./);
  await tabTo(page, dialog.getByLabel("Terminal size follows"));
  await page.keyboard.press("ArrowDown");
  await until(
    "the rule",
    () => server.sessions(),
    ([{ sizing }]) => sizing === "latest",
  );
  await backToTerminal(page, terminal, dialog, "shared");
});

pageTest("keys alone give a terminal one window's size, and another's", { window: DESKTOP }, async (world) => {
  const { page, terminal } = world;
  const other = await openViewer(world, LAPTOP);
  const dialog = other.page.getByRole("dialog", { name: "Viewers" });
  const given = dialog.getByRole("button", { name: "Use the size of your other window" });
  await runCommand(other.page, "Viewers");
  await tabTo(other.page, dialog.getByRole("button", { name: "Use my size" }));
  await other.page.keyboard.press("Enter");
  await given.waitFor();
  const held = await other.page.evaluate(() => document.activeElement.textContent);
  assert.match(held, /^Gives the size: This window/, "the keyboard is where the size is");
  await tabTo(other.page, given);
  await other.page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Use my size" }).waitFor();
  await backToTerminal(other.page, other.terminal, dialog, "handed");
  await runCommand(other.page, "Use my size");
  await page
    .locator(".size-note")
    .getByText(/Sized for/)
    .waitFor();
  await other.page.keyboard.type("echo taken\n");
  await other.terminal.waitForText(/^taken$/m);
  await runCommand(page, "Use my size");
  await other.chip.getByText(/Sized for/).waitFor();
  await page.keyboard.type("echo back\n");
  await terminal.waitForText(/^back$/m);
});

/** Returns the visible controls that are too small for a finger. */
function tooSmall(page, within) {
  return page.locator(within).evaluateAll((places) =>
    places
      .flatMap((place) => [...place.querySelectorAll("button, select, input")])
      .filter((control) => control.checkVisibility())
      .map((control) => ({ name: control.ariaLabel ?? control.textContent, box: control.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 40 || box.height < 40)
      .map(({ name, box }) => `${name}: ${box.width} × ${box.height}`),
  );
}

for (const { width, height } of [PHONE.viewport, { width: 768, height: 1024 }]) {
  pageTest(`fingers hit all there is for sharing, ${width} pixels wide`, { window: DESKTOP }, async (world) => {
    const { page, terminal } = await openViewer(world, { ...PHONE, viewport: { width, height } });
    await page.locator(".size-note").getByRole("button", { name: "Use my size" }).waitFor();
    assert.deepEqual(await tooSmall(page, ".bar"), []);
    for (const name of ["Viewers", "Share"]) {
      await terminal.command(name);
      const dialog = page.getByRole("dialog", { name });
      await dialog.getByRole("button", { name: /Use my size|Copy link: View only/ }).waitFor();
      assert.deepEqual(await tooSmall(page, "dialog"), []);
      const sticksOut = await dialog.evaluate(
        (dialog) =>
          [...dialog.querySelectorAll("*")].filter((part) => part.getBoundingClientRect().right > innerWidth).length,
      );
      assert.equal(sticksOut, 0);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    }
  });
}

pageTest("a phone has room for a rule's whole words", { window: PHONE }, async ({ page, terminal }) => {
  await terminal.command("Share");
  const label = page.getByText("Terminal size follows");
  const field = page.getByLabel("Terminal size follows");
  const [above, below] = [await label.boundingBox(), await field.boundingBox()];
  assert.ok(above.y + above.height <= below.y, "the field is not below its label");
  assert.ok(below.width > 300, `the field is ${below.width} pixels wide`);
});
