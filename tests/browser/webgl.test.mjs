// The terminal as it is usually rendered: with WebGL, to a canvas.

import { assert, pageTest, until } from "./harness.mjs";

/** Returns the share of a screenshot of the page that has this colour, from 0 to 1. */
async function colourShare(context, page, [red, green, blue]) {
  const picture = await page.screenshot();
  const reader = await context.newPage();
  try {
    return await reader.evaluate(
      async ([base64, red, green, blue]) => {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        canvas.drawImage(bitmap, 0, 0);
        const { data } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) {
          if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count++;
        }
        return count / (data.length / 4);
      },
      [picture.toString("base64"), red, green, blue],
    );
  } finally {
    await reader.close();
  }
}

const COLOUR = [12, 200, 99];
const FILL = `clear; printf '\\e[48;2;${COLOUR.join(";")}m%s\\e[m' "$(yes ' ' | head -n 3700 | tr -d '\\n')"; sleep 1000\n`;

/**
 * Opens the page and fills its terminal with the colour. With WebGL, the document has no text to
 * wait for.
 */
async function fill({ terminal, page, context, link }) {
  await page.goto(link.href);
  await until(
    "a connection",
    () => terminal.status(),
    (word) => word === "Connected",
  );
  await terminal.type(FILL);
  await until(
    "the colour on the canvas",
    () => colourShare(context, page, COLOUR),
    (part) => part > 0.7,
  );
}

pageTest("what is printed is drawn", { webgl: true, open: false }, async (world) => {
  const { page } = world;
  await fill(world);
  assert.ok((await page.locator(".panel.shown canvas").count()) > 0);
  assert.equal(await page.locator(".panel.shown .xterm-rows > div").count(), 0, "it is drawn twice");
  await world.screenshot(page, "webgl");
});

pageTest("it is drawn still when the graphics are taken away", { webgl: true, open: false }, async (world) => {
  const { page, context, watch } = world;
  watch.tolerate(/WebGL|CONTEXT_LOST|context/i);
  await fill(world);
  await page.evaluate(() => {
    for (const canvas of document.querySelectorAll(".panel.shown canvas")) {
      canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context").loseContext();
    }
  });
  await page.locator(".panel.shown .xterm-rows > div").first().waitFor();
  await until(
    "the colour in the document",
    () => colourShare(context, page, COLOUR),
    (part) => part > 0.7,
  );
});
