// Using the page without a mouse.

import { assert, pageTest, until } from "./harness.mjs";

/** Returns the name of the focused element, and whether its focus is visible. */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ?? element.innerText ?? "";
    // A radio button may be drawn by its sibling, which then shows the focus.
    const marked = [element, element.nextElementSibling].filter(Boolean).map((shown) => getComputedStyle(shown));
    return {
      name: `${element.tagName.toLowerCase()} ${label.trim().split("\n")[0]}`,
      visible: marked.some(
        ({ outlineStyle, outlineWidth, boxShadow }) =>
          (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none",
      ),
    };
  });
}

/** Presses Tab until the focus is back at its start, and returns all focused elements. */
async function walk(page) {
  const places = [];
  const first = (await focused(page)).name;
  do {
    assert.ok(places.length < 60, `no way round: ${places.map(({ name }) => name)}`);
    await page.keyboard.press("Tab");
    places.push(await focused(page));
  } while (places.at(-1).name !== first);
  return places;
}

pageTest("Tab leads through the bar to the terminal, and all of it is seen", {}, async ({ terminal, page }) => {
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(2);
  await terminal.waitForPrompt();
  await terminal.tab(1).focus();
  const names = [];
  for (let place = 0; place < 4; place++) {
    const { name, visible } = await focused(page);
    names.push(name);
    assert.ok(visible, `${name} does not show that it has the keyboard`);
    await page.keyboard.press("Tab");
  }
  assert.deepEqual(names, ["div bash", "button New terminal", "button Settings…", "button All commands…"]);
  assert.match((await focused(page)).name, /^textarea Terminal/);
  // Inside the terminal, Tab goes to the program.
  await page.keyboard.type("echo lim");
  await page.keyboard.press("Tab");
  await page.keyboard.type("pet\n");
  await terminal.waitForText(/^limpet$/m);
});

pageTest("a tab that has the keyboard is moved through, named and closed", {}, async ({ terminal, page }) => {
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(2);
  await terminal.waitForPrompt();
  await terminal.tab(1).focus();
  await page.keyboard.press("ArrowLeft");
  assert.equal(await terminal.tab(0).getAttribute("aria-selected"), "true");
  await page.keyboard.press("F2");
  await page.getByLabel("Name", { exact: true }).fill("first");
  await page.keyboard.press("Enter");
  await until(
    "its name",
    () => terminal.tabs(),
    ([first]) => first === "first",
  );
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await terminal.tab(0).focus();
  await page.keyboard.press("Delete");
  await terminal.waitForTabCount(1);
});

pageTest("Tab goes round in the settings, and all of it is seen", {}, async ({ page }) => {
  await page.keyboard.press("Control+Shift+,");
  await page.getByRole("dialog", { name: "Settings" }).waitFor();
  await page.keyboard.press("Tab");
  const places = await walk(page);
  const names = places.map(({ name }) => name);
  for (const control of [
    "button Close",
    "select Dark theme",
    "select Light theme",
    "button Themes…",
    "select Font",
    "input Size",
    "input Blinking cursor",
    "input Scrollback",
  ]) {
    assert.ok(names.includes(control), `${control} is not among ${names.join(", ")}`);
  }
  const unseen = places.filter(({ name, visible }) => !visible && !name.startsWith("body"));
  assert.deepEqual(unseen, []);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await until(
    "the terminal to have the keyboard",
    () => focused(page),
    ({ name }) => name.startsWith("textarea Terminal"),
  );
});

pageTest("the end of a program leaves its buttons to the keyboard", {}, async ({ terminal, page }) => {
  await page.keyboard.type("exit 4\n");
  await terminal.banner().waitFor();
  await page.keyboard.press("Control+Shift+P");
  await page.getByRole("combobox").fill("restart");
  await page.keyboard.press("Enter");
  await terminal.banner().waitFor({ state: "detached" });
  await terminal.waitForPrompt();
  await page.keyboard.type("echo again\n");
  await terminal.waitForText(/^again$/m);
});

pageTest("everything that can be pressed has a name", {}, async ({ page }) => {
  for (const keys of [undefined, "Control+Shift+P", "Control+Shift+,", "Control+Shift+O", "Control+Shift+F2"]) {
    if (keys) await page.keyboard.press(keys);
    if (keys) await page.getByRole("dialog").waitFor();
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, select, textarea, [role=tab], [role=option], dialog")]
        .filter((element) => element.getClientRects().length > 0)
        .filter(
          (element) =>
            !(element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ?? element.innerText)?.trim(),
        )
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(nameless, []);
    if (keys) await page.keyboard.press("Escape");
    if (keys) await page.getByRole("dialog").waitFor({ state: "detached" });
  }
});
