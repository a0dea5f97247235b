// The page in forced colours, such as high contrast: a chosen item still differs from the others.

import { assert, pageTest } from "./harness.mjs";

/**
 * Returns the computed style of an element that marks something by its background, border or shape.
 */
function look(locator) {
  return locator.evaluate((element) => {
    const { backgroundColor, borderRadius, borderTopWidth, color, scale } = getComputedStyle(element);
    return { backgroundColor, borderRadius, borderTopWidth, color, scale };
  });
}

/** Returns the background colour behind an element. */
function background(locator) {
  return locator.evaluate((element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!/, 0\)$/.test(backgroundColor)) return backgroundColor;
    }
    return "none";
  });
}

for (const colorScheme of ["dark", "light"]) {
  const window = { forcedColors: "active", colorScheme, viewport: { width: 1280, height: 800 } };
  pageTest(`what is chosen is seen in forced colours, ${colorScheme}`, { window }, async (world) => {
    const { terminal, page } = world;
    await page.keyboard.press("Control+Shift+Enter");
    await terminal.waitForTabCount(2);
    await terminal.waitForPrompt();
    const [other, active] = [terminal.tab(0), terminal.tab(1)];
    assert.notEqual(await background(active), await background(other), "the active tab");
    assert.notEqual((await look(active)).backgroundColor, (await look(active)).color, "its words");
    await world.screenshot(page, `forced-${colorScheme}`);

    const dot = page.locator(".status .dot");
    assert.notEqual((await look(dot)).backgroundColor, await background(page.locator(".status")), "the dot of the connection");
    const tones = await dot.evaluate((dot) =>
      ["good", "warning", "danger", "muted"].map((tone) => {
        dot.parentElement.dataset.tone = tone;
        const { backgroundColor, borderRadius, scale } = getComputedStyle(dot);
        return [backgroundColor, borderRadius, scale].join();
      }),
    );
    assert.equal(new Set(tones).size, tones.length, "the tones of a dot are told apart");

    await page.keyboard.press("Control+Shift+,");
    const [chosen, open] = [page.locator(".choice input:checked + span"), page.locator(".choice input:not(:checked) + span")];
    await chosen.first().waitFor();
    assert.notEqual(await background(chosen.first()), await background(open.first()), "a choice");
    const blinking = page.getByRole("switch", { name: "Blinking cursor" });
    const thumb = () =>
      blinking.evaluate((input) => {
        const { backgroundColor } = getComputedStyle(input, "::after");
        return { thumb: backgroundColor, ground: getComputedStyle(input).backgroundColor };
      });
    const on = await thumb();
    await world.screenshot(page, `forced-${colorScheme}-settings`);
    await blinking.click();
    const off = await thumb();
    assert.notEqual(on.thumb, on.ground, "a switch that is on");
    assert.notEqual(off.thumb, off.ground, "a switch that is off");
    assert.notEqual(on.ground, off.ground, "on and off");
    await blinking.click();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await page.keyboard.press("Control+Shift+P");
    const marked = page.getByRole("option", { selected: true });
    await marked.waitFor();
    assert.notEqual(await background(marked), await background(page.getByRole("option", { selected: false }).first()), "a command");
    await world.screenshot(page, `forced-${colorScheme}-palette`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await page.keyboard.press("Control+Shift+O");
    const current = page.locator(".line", { has: page.locator("[aria-current=true]") });
    await current.waitFor();
    assert.notEqual(await background(current), await background(page.locator(".line").first()), "a line of the list of tabs");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await terminal.tab(1).click({ button: "right" });
    const item = page.getByRole("menuitem").first();
    await page.keyboard.press("Home");
    assert.notEqual(await background(item), await background(page.getByRole("menuitem").nth(1)), "an item of a menu");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    // Terminals keep the colours of program output.
    await terminal.run("printf '\\e[31mred\\e[m\\n'");
    const red = page.locator(".panel.shown .xterm-rows span").getByText("red", { exact: true });
    const { color } = await look(red);
    const [r, g, b] = color.match(/\d+/g).map(Number);
    assert.ok(r > g && r > b, color);
  });
}
