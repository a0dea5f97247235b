// Files and links that are dropped on the page.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { assert, pageTest } from "./harness.mjs";

/**
 * Drags something to a position on the page and drops it, with the events that the system sends to
 * the browser.
 */
async function drop(page, data, { x, y }) {
  const cdp = await page.context().newCDPSession(page);
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await cdp.send("Input.dispatchDragEvent", { type, x, y, data: { items: [], dragOperationsMask: 1, ...data } });
  }
  await cdp.detach();
}

pageTest("a file that is dropped anywhere leaves the page where it is, and that is said", {}, async (world) => {
  const { terminal, page, server } = world;
  const file = join(server.home, "dropped.html");
  await writeFile(file, "<h1>Gone</h1>");
  const address = page.url();
  const said = page.getByText("Files cannot be dropped here yet.");
  for (const place of [".bar", ".panel.shown .xterm-screen", ".panes"]) {
    const { x, y, width, height } = await page.locator(place).boundingBox();
    await drop(page, { files: [file] }, { x: x + width - 2, y: y + height - 2 });
    await said.waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
  }
  await page.keyboard.press("Control+Shift+,");
  await page.getByRole("dialog").waitFor();
  await drop(page, { files: [file] }, { x: 500, y: 320 });
  await said.waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(page.url(), address);
  assert.equal(await terminal.run("echo here"), "here");
});

pageTest("a link that is dropped does not lead away", {}, async ({ terminal, page }) => {
  const address = page.url();
  const items = [{ mimeType: "text/uri-list", data: new URL("/api/health", address).href }];
  await drop(page, { items }, { x: 500, y: 300 });
  await page.getByText("Nothing can be dropped here yet.").waitFor();
  assert.equal(page.url(), address);
  assert.equal(await terminal.run("echo here"), "here");
});
