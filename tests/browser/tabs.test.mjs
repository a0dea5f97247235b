// Tabs: opening, closing, naming and ordering them, with keyboard and pointer.

import { assert, pageTest, until } from "./harness.mjs";

const TABLET = { viewport: { width: 820, height: 740 }, hasTouch: true, isMobile: true };

/** Opens tabs until there are `count`, each named by its position: "one", "two", "three". */
async function openTabs(terminal, count) {
  const names = ["one", "two", "three", "four"].slice(0, count);
  for (const [place, name] of names.entries()) {
    if (place > 0) {
      await terminal.page.keyboard.press("Control+Shift+Enter");
      await terminal.waitForTabCount(place + 1);
    }
    await terminal.run(`printf '\\e]2;${name}\\a'`);
    await waitForTitles(terminal, names.slice(0, place + 1));
  }
  return names;
}

function waitForTitles(terminal, titles) {
  return until(
    `tabs ${titles}`,
    () => terminal.tabs(),
    (tabs) => tabs.join() === titles.join(),
  );
}

/** Waits until the tab with this title is active. */
function waitForActive(terminal, title) {
  const shown = () => terminal.page.locator("[role=tab][aria-selected=true] .tab-title").textContent();
  return until(`${title} to be active`, shown, (text) => text === title);
}

pageTest("a tab is opened in the size of what is shown", {}, async ({ terminal, page, server }) => {
  const [rows, cols] = (await terminal.run("stty size")).split(" ").map(Number);
  const asked = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/api/sessions"));
  await page.keyboard.press("Control+Shift+Enter");
  const { cols: wide, rows: high } = (await asked).postDataJSON();
  assert.deepEqual([wide, high], [cols, rows]);
  await terminal.waitForTabCount(2);
  assert.equal(await terminal.run("stty size"), `${rows} ${cols}`);
  assert.equal((await server.sessions()).length, 2);
});

pageTest("the program names its tab, and its user may name it otherwise", {}, async ({ terminal, page, server }) => {
  await openTabs(terminal, 1);
  await page.keyboard.press("Control+Shift+F2");
  await page.getByLabel("Name", { exact: true }).fill("my <b>own</b> name");
  await page.keyboard.press("Enter");
  await waitForTitles(terminal, ["my <b>own</b> name"]);
  await terminal.run("printf '\\e]2;not any more\\a'");
  assert.deepEqual(await terminal.tabs(), ["my <b>own</b> name"]);
  assert.equal((await server.sessions())[0].title, "my <b>own</b> name");
  await page.reload();
  await terminal.waitForPrompt();
  assert.deepEqual(await terminal.tabs(), ["my <b>own</b> name"]);

  await terminal.tab(0).dblclick();
  await page.getByLabel("Name", { exact: true }).fill("");
  await page.getByRole("button", { name: "Rename" }).click();
  await terminal.run("printf '\\e]2;its program again\\a'");
  await waitForTitles(terminal, ["its program again"]);
});

pageTest("a tab is closed without a word when nothing runs in it", {}, async ({ terminal, page, server }) => {
  await openTabs(terminal, 2);
  await page.keyboard.press("Control+Shift+X");
  await waitForTitles(terminal, ["one"]);
  await waitForActive(terminal, "one");
  await until(
    "one session",
    () => server.sessions(),
    (all) => all.length === 1,
  );
  assert.equal(await terminal.run("echo goes on"), "goes on");
});

pageTest("closing a tab asks when something runs in it", {}, async ({ terminal, page, server }) => {
  await openTabs(terminal, 2);
  await terminal.type("sleep 1000\n");
  await until(
    "sleep",
    () => server.running(),
    (names) => names.includes("sleep"),
  );
  await page.keyboard.press("Control+Shift+X");
  const dialog = page.getByRole("dialog", { name: "Close this tab?" });
  await dialog.getByText("sleep is still running.").waitFor();
  // Enter gives the harmless answer.
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  assert.equal((await terminal.tabs()).length, 2);

  await terminal.tab(1).locator(".tab-close").click();
  await dialog.getByRole("button", { name: "Close tab" }).click();
  await waitForTitles(terminal, ["one"]);
  await until(
    "one session",
    () => server.sessions(),
    (all) => all.length === 1,
  );
});

pageTest("tabs are put in order by keyboard, and stay so", {}, async ({ terminal, page }) => {
  await openTabs(terminal, 3);
  await page.keyboard.press("Control+Shift+PageUp");
  await waitForTitles(terminal, ["one", "three", "two"]);
  await page.keyboard.press("Control+Shift+PageUp");
  await page.keyboard.press("Control+Shift+PageUp");
  await waitForActive(terminal, "three");
  const order = await terminal.tabs();
  assert.equal(await terminal.run("echo the keyboard is still here"), "the keyboard is still here");
  await page.reload();
  await terminal.waitForPrompt();
  await waitForTitles(terminal, order);
  await waitForActive(terminal, "three");
});

pageTest("tabs are put in order by dragging", {}, async ({ terminal, page }) => {
  await openTabs(terminal, 3);
  const [from, to] = [await terminal.tab(0).boundingBox(), await terminal.tab(2).boundingBox()];
  await page.mouse.move(from.x + 40, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width - 20, to.y + to.height / 2, { steps: 12 });
  await page.mouse.up();
  await waitForTitles(terminal, ["two", "three", "one"]);
  assert.equal(await terminal.run("echo dropped"), "dropped");
});

pageTest("a finger drags the active tab, and pans past the others", { window: TABLET }, async ({ terminal, page }) => {
  await openTabs(terminal, 3);
  const drag = async (from, to) => {
    const [start, end] = [await terminal.tab(from).boundingBox(), await terminal.tab(to).boundingBox()];
    const at = (part) => {
      const x = start.x + 40 + (end.x + end.width / 4 - start.x - 40) * part;
      return { touchPoints: [{ x, y: start.y + start.height / 2 }] };
    };
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", ...at(0) });
    for (let step = 1; step <= 12; step++) {
      await cdp.send("Input.dispatchTouchEvent", { type: "touchMove", ...at(step / 12) });
    }
    await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await cdp.detach();
  };
  await waitForActive(terminal, "three");
  await drag(2, 0);
  await waitForTitles(terminal, ["three", "one", "two"]);
  await drag(1, 2);
  assert.deepEqual(await terminal.tabs(), ["three", "one", "two"]);
  await waitForActive(terminal, "three");
});

pageTest("the keyboard goes from tab to tab", {}, async ({ terminal, page }) => {
  await openTabs(terminal, 3);
  await page.keyboard.press("Control+Shift+ArrowRight");
  await waitForActive(terminal, "one");
  await page.keyboard.press("Control+Shift+ArrowLeft");
  await waitForActive(terminal, "three");
  await page.keyboard.press("Control+Shift+2");
  await waitForActive(terminal, "two");
  // Each tab has kept its screen, and has the focus when it is shown.
  await page.keyboard.type("echo typed at once");
  await terminal.waitForText(/ready> echo typed at once$/);

  await page.keyboard.press("Control+Shift+O");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await waitForActive(terminal, "three");
});

pageTest("what happens in other tabs is marked", {}, async ({ terminal, page, server }) => {
  await openTabs(terminal, 2);
  const first = terminal.tab(0).locator(".tab-sign");
  await terminal.tab(0).click();
  await terminal.type(
    "until [ -e go ]; do sleep 0.1; done; echo news; until [ -e ring ]; do sleep 0.1; done; tput bel\n",
  );
  await terminal.tab(1).click();
  await waitForActive(terminal, "two");
  await terminal.waitForPrompt();
  assert.equal(await first.textContent(), "");
  await server.file("go", "");
  await first.getByText("new output").waitFor({ state: "attached" });
  await server.file("ring", "");
  await first.getByText("bell").waitFor({ state: "attached" });
  await terminal.tab(0).click();
  await until(
    "no mark",
    () => first.textContent(),
    (text) => text === "",
  );
  await terminal.waitForText("news");
  await terminal.tab(1).click();
  await terminal.type("exit 9\n");
  await terminal.tab(0).click();
  await terminal.tab(1).getByText("ended with exit code 9").waitFor({ state: "attached" });
});

pageTest("every command is found in the palette", {}, async ({ terminal, page }) => {
  await terminal.command("new terminal");
  await terminal.waitForTabCount(2);
  await terminal.waitForPrompt();
  await page.keyboard.press("Control+Shift+P");
  await page.getByRole("combobox").fill("no such command at all");
  await page.getByText("No matches.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await terminal.run("echo the keyboard is back"), "the keyboard is back");
});

pageTest("a tab has a menu", {}, async ({ terminal, page }) => {
  await openTabs(terminal, 2);
  await terminal.tab(0).click({ button: "right" });
  await page.getByRole("menuitem", { name: "Rename tab…" }).click();
  await page.getByLabel("Name", { exact: true }).fill("renamed");
  await page.keyboard.press("Enter");
  await waitForTitles(terminal, ["renamed", "two"]);
  await terminal.tab(0).click({ button: "right" });
  await page.getByRole("menuitem", { name: "Close tab" }).click();
  await waitForTitles(terminal, ["two"]);
});

pageTest("the list of tabs on a phone selects, moves and closes", { window: TABLET }, async ({ terminal, page }) => {
  await openTabs(terminal, 3);
  await page.setViewportSize({ width: 360, height: 740 });
  const dialog = page.getByRole("dialog", { name: "Tabs" });
  const show = async () => {
    await page.getByTitle("All tabs…").tap();
    await dialog.waitFor();
  };
  await show();
  await dialog.getByRole("button", { name: "one", exact: true }).tap();
  await dialog.waitFor({ state: "detached" });
  await waitForActive(terminal, "one");

  await show();
  const grips = dialog.locator(".grip");
  await dialog.evaluate((shown) => Promise.all(shown.getAnimations({ subtree: true }).map(({ finished }) => finished)));
  const [from, to] = [await grips.nth(0).boundingBox(), await grips.nth(2).boundingBox()];
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height - 2, { steps: 12 });
  await page.mouse.up();
  await waitForTitles(terminal, ["two", "three", "one"]);
  await dialog.getByRole("button", { name: "Close three" }).tap();
  await waitForTitles(terminal, ["two", "one"]);
});

pageTest("a tab that is shown has the keyboard before another key can be pressed", {}, async ({ terminal, page }) => {
  await openTabs(terminal, 2);
  // A busy page renders nothing between two keys.
  await page.evaluate(() => (window.requestAnimationFrame = () => 0));
  await page.keyboard.press("Control+Shift+1");
  assert.ok(await page.locator(".panel.shown").evaluate((panel) => panel.contains(document.activeElement)));
  assert.equal(await terminal.tab(0).getAttribute("aria-selected"), "true");
});

pageTest("the window is called as its terminal, whose title is one that can be read", {}, async ({ terminal, page }) => {
  const called = (title) => until(`the window's title`, () => page.title(), (found) => found === title);
  await called("bash – limpet");
  await terminal.run("printf '\\033]2;  my\\302\\240\\t\\342\\200\\256work \\007'");
  await called("my work – limpet");
  assert.deepEqual(await terminal.tabs(), ["my work"]);
  for (const blank of ["   ", "\\342\\200\\256", "\\343\\205\\244"]) {
    await terminal.run(`printf '\\033]2;${blank}\\007'`);
    await called("bash – limpet");
    await terminal.run("printf '\\033]2;other\\007'");
    await called("other – limpet");
  }
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(2);
  await called("bash – limpet");
  await terminal.tab(0).click();
  await called("other – limpet");
});
