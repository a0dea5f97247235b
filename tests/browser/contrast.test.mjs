// Readable text, whatever colours programs choose.

import { assert, pageTest, until } from "./harness.mjs";

/** Styles to print: SGR parameters and a description. */
const STYLES = [
  ["38;2;255;255;255", "white on the theme's own background"],
  ["38;2;0;0;0", "black on it"],
  ["48;2;20;20;20", "the theme's own text on black"],
  ["48;2;250;250;250", "the same on white"],
  ["97;107", "bright white on bright white"],
  ["30;40", "black on black"],
  ["7;38;2;128;128;128", "inverse"],
  ["30;46", "as mc does it"],
  ["37;44", "as mc does it as well"],
  ["36;42", "as htop does it"],
];

/** Shell commands that print each style in a row of its own. */
const print = STYLES.map(([sgr]) => `printf '\\033[${sgr}m%-20s\\033[m\\n' MMMMMMMMMM`).join("; ");

/** Returns the contrast of each row of `M`s from the computed styles: the ratio of WCAG 2. */
const contrasts = (page) =>
  page.locator(".panel.shown .xterm-rows > div").evaluateAll((rows) => {
    const luminance = (colour) => {
      const [r, g, b] = colour.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parse = (css) => css.match(/[\d.]+/g).map(Number);
    const background = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const [r, g, b, alpha = 1] = parse(getComputedStyle(at).backgroundColor);
        if (alpha > 0) return [r, g, b];
      }
      return [255, 255, 255];
    };
    return rows
      .map((row) => [...row.querySelectorAll("span")].find((span) => span.textContent.startsWith("MMMM")))
      .filter(Boolean)
      .map((span) => {
        const [one, other] = [parse(getComputedStyle(span).color), background(span)].map(luminance).sort((a, b) => b - a);
        return (one + 0.05) / (other + 0.05);
      });
  });

for (const colorScheme of ["light", "dark"]) {
  pageTest(`text has a contrast of 4.5 in the ${colorScheme} theme, unless it is not wanted`, { window: { colorScheme } }, async (world) => {
    const { terminal, page } = world;
    await terminal.type(`clear; ${print}\n`);
    const found = await until("all of it", () => contrasts(page), (found) => found.length === STYLES.length);
    const low = STYLES.map(([, name], at) => [name, found[at]]).filter(([, ratio]) => ratio < 4.45);
    assert.deepEqual(low, []);
    await world.screenshot(page, `contrast-${colorScheme}`);
    await page.keyboard.press("Control+Shift+,");
    await page.getByRole("switch", { name: "Improve contrast of text" }).click();
    await page.keyboard.press("Escape");
    await until("the colours as programs want them", () => contrasts(page), (found) => found.some((ratio) => ratio < 1.5));
  });
}

pageTest("box drawing keeps its colours", { window: { colorScheme: "dark" } }, async ({ terminal, page }) => {
  await terminal.type("clear; printf '\\033[38;2;30;40;50m████████\\033[m\\n'\n");
  await terminal.waitForText("████████");
  const blocks = page.locator(".panel.shown .xterm-rows span", { hasText: "████████" }).last();
  // A row that is just being redrawn has no such span.
  await until(
    "the colour of the blocks",
    () => blocks.evaluate((span) => getComputedStyle(span).color),
    (colour) => colour === "rgb(30, 40, 50)",
  );
});

/**
 * Returns the highest contrast between the most frequent colour of a terminal and any other colour
 * in it.
 */
async function renderedContrast(context, page) {
  const clip = await page.locator(".panel.shown .xterm-screen").boundingBox();
  const picture = await page.screenshot({ clip: { ...clip, height: 60 } });
  const reader = await context.newPage();
  try {
    return await reader.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      canvas.drawImage(bitmap, 0, 0);
      const { data } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
      const counts = new Map();
      for (let at = 0; at < data.length; at += 4) {
        const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
      }
      const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
      const luminance = (colour) =>
        0.2126 * part(colour >> 16) + 0.7152 * part((colour >> 8) & 255) + 0.0722 * part(colour & 255);
      const most = luminance([...counts].sort((one, other) => other[1] - one[1])[0][0]);
      const ratios = [...counts.keys()].map(luminance).map((other) => [most, other].sort((a, b) => b - a));
      return Math.max(...ratios.map(([light, dark]) => (light + 0.05) / (dark + 0.05)));
    }, picture.toString("base64"));
  } finally {
    await reader.close();
  }
}

pageTest("the same holds where WebGL draws", { webgl: true, open: false, window: { colorScheme: "light" } }, async (world) => {
  const { terminal, page, context, link } = world;
  await page.goto(link.href);
  await until("a connection", () => terminal.status(), (word) => word === "Connected");
  for (const sgr of ["38;2;255;255;255", "48;2;20;20;20"]) {
    const rows = `printf '\\033[?25l\\033[${sgr}m%s' "$(yes M | head -n 900 | tr -d '\\n')"`;
    await terminal.type(`clear; ${rows}; sleep 1000\n`);
    await until("text that can be read", () => renderedContrast(context, page), (ratio) => ratio > 3.5 && ratio < 8);
    await terminal.press("Control+c");
    await terminal.type("printf '\\033[m\\033[?25h'\n");
  }
  assert.ok((await page.locator(".panel.shown canvas").count()) > 0);
});
