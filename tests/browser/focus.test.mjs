// Keyboard focus: there is always a focused element, and mostly it is the terminal.

import { assert, pageTest, until } from "./harness.mjs";
import { DESKTOP, LAPTOP, openViewer } from "./harness/viewers.mjs";

/** Waits until an element with this name has the focus. */
function waitForFocus(terminal, name) {
  return until(
    `the keyboard with ${name}`,
    () => terminal.focused(),
    (focused) => (typeof name === "string" ? focused === name : name.test(focused)),
  );
}

/** Reports whether the focused element has a visible outline. */
function isMarked(page) {
  return page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
}

pageTest("who presses beside the terminal goes on typing in it", {}, async ({ terminal, page }) => {
  const panel = await page.locator(".panel.shown").boundingBox();
  const bar = await page.locator(".bar").boundingBox();
  const places = {
    "the padding on the left": { x: panel.x + 3, y: panel.y + 200 },
    "the padding at the foot": { x: panel.x + 300, y: panel.y + panel.height - 1 },
    "the bar": { x: bar.x + bar.width / 2, y: bar.y + bar.height / 2 },
    "the mark": { x: bar.x + 20, y: bar.y + bar.height / 2 },
    "the state of the connection": await middle(page.locator(".status")),
    "its own tab": await middle(terminal.tab(0)),
  };
  for (const [place, { x, y }] of Object.entries(places)) {
    for (const button of ["left", "middle"]) {
      // On a tab, the middle button closes it.
      if (button === "middle" && place === "its own tab") continue;
      await page.mouse.click(x, y, { button });
      await waitForFocus(terminal, /^Terminal/);
      await page.keyboard.type(`${place}`);
      await terminal.waitForText(new RegExp(`ready> ${place}$`));
      await page.keyboard.press("Control+u");
      await terminal.waitForPrompt();
    }
  }
});

async function middle(locator) {
  const { x, y, width, height } = await locator.boundingBox();
  return { x: x + width / 2, y: y + height / 2 };
}

pageTest("a message that goes leaves the keyboard with the terminal", {}, async ({ terminal, page }) => {
  const dismiss = page.getByRole("button", { name: "Dismiss" });
  await terminal.command("Use my size");
  await dismiss.click();
  await waitForFocus(terminal, /^Terminal/);
  await terminal.command("Use my size");
  await dismiss.focus();
  await page.keyboard.press("Enter");
  await waitForFocus(terminal, /^Terminal/);
  await page.keyboard.type("echo typed\n");
  await terminal.waitForText(/^typed$/m);
});

pageTest("a key that is pressed while nobody has the keyboard goes to the terminal", {}, async ({ terminal, page }) => {
  for (const keys of ["abc", "ABC", "[]~"]) {
    await page.evaluate(() => document.activeElement.blur());
    // The test does not wait in between: the first key already restores the focus.
    await page.keyboard.type(keys);
    await terminal.waitForText(`ready> ${keys}`);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("Control+u");
    await terminal.waitForPrompt();
  }
  await terminal.run("echo before");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("ArrowUp");
  await terminal.waitForText(/ready> echo before$/);
});

pageTest("terminals that are opened elsewhere leave the keyboard where it is", {}, async (world) => {
  const { terminal, page, server } = world;
  await terminal.type("cat\n");
  await page.evaluate(() => {
    window.lost = 0;
    document.activeElement.addEventListener("blur", () => window.lost++);
  });
  let typed = "";
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 12 }, () => server.api("POST", "api/sessions", {})));
    const old = (await server.sessions()).slice(1, 2);
    if (round > 0) await Promise.all(old.map(({ id }) => server.api("DELETE", `api/sessions/${id}`)));
    // The page requests the list of sessions whenever its window gets the focus.
    await page.evaluate(() => window.dispatchEvent(new FocusEvent("focus")));
    for (const key of "0123456789") {
      await page.keyboard.type(key);
      typed += key;
    }
    await until(
      "the tabs of these",
      () => Promise.all([terminal.tabs(), server.sessions()]),
      ([tabs, sessions]) => tabs.length === sessions.length,
    );
  }
  await page.keyboard.type("\n");
  await terminal.waitForText(new RegExp(`^${typed}\n${typed}$`, "m"));
  assert.equal(await page.evaluate(() => window.lost), 0, "the terminal lost the keyboard");
  await page.keyboard.press("Control+d");
});

pageTest("F6 goes round terminal, bar, viewers and messages", { window: DESKTOP }, async (world) => {
  const { terminal, page } = world;
  const other = await openViewer(world, LAPTOP);
  await page.getByRole("button", { name: "2 viewers" }).waitFor();
  // A message that waits for an answer.
  await terminal.run("printf '\\e]52;c;%s\\a' $(printf text | base64)");
  await page.getByRole("button", { name: "Not now" }).waitFor();
  const round = ["bash", "2 viewers", "Not now"];
  for (const name of round) {
    await page.keyboard.press("F6");
    await waitForFocus(terminal, name);
    assert.ok(await isMarked(page), `${name} does not show that it has the keyboard`);
  }
  await page.keyboard.press("F6");
  await waitForFocus(terminal, /^Terminal/);
  for (const name of round.toReversed()) {
    await page.keyboard.press("Shift+F6");
    await waitForFocus(terminal, name);
  }
  await page.keyboard.press("Escape");
  await waitForFocus(terminal, /^Terminal/);
  await page.keyboard.press("Shift+F6");
  await waitForFocus(terminal, "Not now");
  await page.keyboard.press("Enter");
  await waitForFocus(terminal, /^Terminal/);
  // A part that is not there is skipped.
  await other.page.close();
  await page.locator(".viewers-button").waitFor({ state: "hidden" });
  await page.keyboard.press("F6");
  await waitForFocus(terminal, "bash");
  await page.keyboard.press("F6");
  await waitForFocus(terminal, /^Terminal/);
  await page.keyboard.type("echo round\n");
  await terminal.waitForText(/^round$/m);
});

pageTest("F6 reaches the note that says whose size the terminal has", { window: DESKTOP }, async (world) => {
  const { page, terminal, chip } = await openViewer(world, LAPTOP);
  await chip.getByRole("button", { name: "Use my size" }).waitFor();
  await waitForFocus(terminal, /^Terminal/);
  for (const name of ["bash", "Use my size"]) {
    await page.keyboard.press("F6");
    await waitForFocus(terminal, name);
  }
});

pageTest("a program that fills the screen keeps F6, and can be left all the same", {}, async ({ terminal, page }) => {
  await terminal.type("printf '\\e[?1049h'; cat -v\n");
  await until("an empty screen", async () => (await terminal.text()) === "");
  await page.keyboard.press("F6");
  await terminal.waitForText("^[[17~");
  await page.keyboard.press("Control+Shift+F6");
  await waitForFocus(terminal, "bash");
  await page.keyboard.press("F6");
  await waitForFocus(terminal, /^Terminal/);
  await page.keyboard.press("Control+c");
  await page.keyboard.type("printf '\\e[?1049l'\n");
});

pageTest("F11 is the browser's, and a command fills the screen", {}, async ({ terminal, page }) => {
  await terminal.type("cat -v\n");
  await page.evaluate(() => {
    window.addEventListener("keydown", (event) => (window.prevented = event.defaultPrevented), { once: true });
  });
  await page.keyboard.press("F11");
  await until("the key", () => page.evaluate(() => window.prevented ?? null), (prevented) => prevented !== null);
  assert.equal(await page.evaluate(() => window.prevented), false);
  await page.keyboard.type("after\n");
  await terminal.waitForText(/^after\nafter$/m);
  await page.keyboard.press("Control+c");
  await terminal.command("Full screen");
  await until("full screen", () => page.evaluate(() => document.fullscreenElement !== null));
  await page.keyboard.type("echo filled\n");
  await terminal.waitForText(/^filled$/m);
  await terminal.command("Full screen");
  await until("no full screen", () => page.evaluate(() => document.fullscreenElement === null));
});

pageTest("with no terminal left, Enter opens one", {}, async ({ terminal, page }) => {
  await page.keyboard.press("Control+Shift+X");
  await page.getByText("No terminal is open.").waitFor();
  await waitForFocus(terminal, "New terminal");
  assert.ok(await isMarked(page), "the button does not show that it has the keyboard");
  await page.keyboard.press("Enter");
  await terminal.waitForPrompt();
  await page.keyboard.type("echo opened\n");
  await terminal.waitForText(/^opened$/m);
});
