// Themes and settings: they take effect at once in page and terminal, and are saved.

import { assert, pageTest, until } from "./harness.mjs";

/** Returns the background colours of the terminal's text and of the page's bar. */
function backgrounds(page) {
  return page.evaluate(() => {
    const ground = (element) => {
      const colour = getComputedStyle(element).backgroundColor;
      return colour === "rgba(0, 0, 0, 0)" && element.parentElement ? ground(element.parentElement) : colour;
    };
    const rows = document.querySelector(".panel.shown .xterm-rows");
    return { terminal: ground(rows), bar: ground(document.querySelector(".bar")) };
  });
}

/** Colours from the theme's file. */
const DRACULA = { ground: "rgb(40, 42, 54)", red: "rgb(255, 85, 85)" };

async function chooseTheme(page, name) {
  await page.keyboard.press("Control+Shift+Y");
  await page.getByRole("combobox", { name: "Themes" }).fill(name);
  await page.getByRole("option", { selected: true }).getByText(name).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

pageTest("a theme colours page and terminal, and is kept", {}, async ({ terminal, page }) => {
  await terminal.run("printf '\\e[31mred\\e[m\\n'");
  const before = await backgrounds(page);
  await chooseTheme(page, "Dracula");
  const after = await until(
    "its colours",
    () => backgrounds(page),
    ({ terminal }) => terminal === DRACULA.ground,
  );
  assert.notEqual(after.bar, before.bar);
  const red = page.locator(".panel.shown .xterm-rows span").getByText("red", { exact: true });
  await until(
    "its red",
    () => red.evaluate((span) => getComputedStyle(span).color),
    (colour) => colour === DRACULA.red,
  );

  await page.reload();
  await terminal.waitForPrompt();
  assert.deepEqual(await backgrounds(page), after);
});

pageTest("a theme is shown before it is chosen", {}, async ({ page }) => {
  const before = await backgrounds(page);
  await page.keyboard.press("Control+Shift+Y");
  await page.getByRole("combobox", { name: "Themes" }).fill("Dracula");
  await until(
    "its colours",
    () => backgrounds(page),
    ({ terminal }) => terminal === DRACULA.ground,
  );
  await page.keyboard.press("Escape");
  await until(
    "the colours of before",
    () => backgrounds(page),
    (now) => JSON.stringify(now) === JSON.stringify(before),
  );
});

pageTest("colours follow the system, live", {}, async ({ page }) => {
  const luminance = async () => {
    const { terminal } = await backgrounds(page);
    return (
      terminal
        .match(/\d+/g)
        .slice(0, 3)
        .reduce((sum, part) => sum + Number(part), 0) / 765
    );
  };
  assert.ok((await luminance()) < 0.3);
  await page.emulateMedia({ colorScheme: "light" });
  await until("a light ground", luminance, (value) => value > 0.7);
  await page.emulateMedia({ colorScheme: "dark" });
  await until("a dark ground", luminance, (value) => value < 0.3);
});

pageTest("every theme can be chosen, and its text be read", {}, async ({ page }) => {
  await page.keyboard.press("Control+Shift+Y");
  const themes = await page.getByRole("option").count();
  assert.ok(themes >= 12, `${themes} themes`);
  for (let theme = 0; theme < themes; theme++) {
    const marked = page.getByRole("option", { selected: true });
    const name = await marked.textContent();
    const { text, ground } = await marked.evaluate((row) => {
      const of = (element, property) => getComputedStyle(element)[property];
      return { text: of(row, "color"), ground: of(row.closest("dialog"), "backgroundColor") };
    });
    assert.ok(contrast(text, ground) >= 4.5, `${name}: ${text} on ${ground}`);
    await page.keyboard.press("ArrowDown");
  }
});

/** Returns the contrast of two colours as in WCAG 2.2, which requires 4.5 for text. */
function contrast(one, other) {
  const luminance = (colour) => {
    const [red, green, blue] = colour
      .match(/[\d.]+/g)
      .slice(0, 3)
      .map((part) => {
        const value = part / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

pageTest("the size of text is a setting, and programs get fewer rows", {}, async ({ terminal, page }) => {
  const rows = async () => Number((await terminal.run("stty size")).split(" ")[0]);
  const before = await rows();
  await page.keyboard.press("Control+Shift+,");
  await page.getByLabel("Size").fill("24");
  await page.keyboard.press("Escape");
  const after = await until("fewer rows", rows, (now) => now < before);
  await page.reload();
  await terminal.waitForPrompt();
  assert.equal(await rows(), after);
  await page.keyboard.press("Control+Shift+0");
  await until("as many rows as before", rows, (now) => now === before);
});

pageTest("a number out of bounds is refused beside its field, and changes nothing", {}, async (world) => {
  const { page } = world;
  const stored = () => page.evaluate(() => JSON.parse(localStorage["limpet.settings"] ?? "{}")["font-size"] ?? 14);
  await page.keyboard.press("Control+Shift+,");
  for (const [label, value, words] of [
    ["Size", "99", "Choose from 8 to 40 px. It is still 14."],
    ["Size", "-3", "Choose from 8 to 40 px. It is still 14."],
    ["Size", "7", "Choose from 8 to 40 px. It is still 14."],
    ["Size", "12.5", "Choose from 8 to 40 px. It is still 14."],
    ["Scrollback", "100001", "Choose from 0 to 100,000 lines. It is still 5,000."],
    ["Scrollback", "", "Choose from 0 to 100,000 lines. It is still 5,000."],
  ]) {
    const field = page.getByLabel(label);
    const before = await field.inputValue();
    await field.fill(value);
    await field.press("Enter");
    const problem = page.getByRole("alert").getByText(words);
    await problem.waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.equal(await field.inputValue(), before, "the old value is back");
    assert.equal(await stored(), 14);
    if (value === "99") await world.screenshot(page, "settings-refused");
    const [above, below] = [await field.boundingBox(), await problem.boundingBox()];
    assert.ok(below.y - above.y - above.height < 24, "it stands at its field");
    await field.fill(before);
    await problem.waitFor({ state: "detached" });
  }
  const size = page.getByLabel("Size");
  // The beginning of a number is not rejected while it is typed.
  await size.fill("");
  await size.pressSequentially("2");
  assert.equal(await page.getByRole("alert").getByText("Choose").count(), 0);
  await size.pressSequentially("0");
  await until("the new size", stored, (now) => now === 20);
});

pageTest("windows of one browser share their settings", {}, async ({ page, context, link }) => {
  const other = await context.newPage();
  await other.goto(new URL("/", link).href);
  await other.locator(".panel.shown .xterm-rows").waitFor();
  await chooseTheme(page, "Dracula");
  await until(
    "its colours there",
    () => backgrounds(other),
    ({ terminal }) => terminal === DRACULA.ground,
  );
});

/** Shapes of a blinking cursor (DECSCUSR), and the style while it is hidden. */
const SHAPES = [
  { code: 1, property: "backgroundColor", gone: "rgba(0, 0, 0, 0)" },
  { code: 3, property: "borderBottomStyle", gone: "hidden" },
  { code: 5, property: "boxShadow", gone: "none" },
];

pageTest("a cursor blinks without an animation, for which echoes would wait", {}, async ({ terminal, page }) => {
  const cursor = page.locator(".panel.shown .xterm-cursor-blink");
  for (const { code, property, gone } of SHAPES) {
    await terminal.run(`printf '\\e[${code} q'`);
    const look = () => cursor.evaluate((cursor, property) => getComputedStyle(cursor)[property], property);
    await until("no cursor", look, (value) => value === gone);
    await until("a cursor", look, (value) => value !== gone);
    await until("no cursor again", look, (value) => value === gone);
    const animations = await page.evaluate(() => {
      const terminal = document.querySelector(".panel.shown .xterm");
      return document.getAnimations().filter(({ effect }) => terminal.contains(effect.target)).length;
    });
    assert.equal(animations, 0);
  }
  await page.evaluate(() => {
    const terminal = document.querySelector(".panel.shown .terminal:has(.xterm-rows)");
    window.shown = new Promise((tell) => {
      const drawn = () => terminal.textContent.includes("typed") && tell(!terminal.hasAttribute("data-cursor-gone"));
      new MutationObserver(drawn).observe(terminal, { childList: true, subtree: true, characterData: true });
    });
  });
  await page.keyboard.type("typed");
  assert.ok(await page.evaluate(() => window.shown), "who types sees the cursor");
});
