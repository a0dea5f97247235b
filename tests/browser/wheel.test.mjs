// The mouse wheel over full-screen programs.

import { assert, pageTest, until } from "./harness.mjs";

/** Returns the number in the first row. */
const first = async (terminal) => Number((await terminal.rows())[0]);

/**
 * Turns the wheel `times` times, and waits until the program has scrolled by as many lines as all
 * turns so far amount to.
 */
async function turnWheel(terminal, turned, pixels, times = 1) {
  const { x, y } = await terminal.place(String(await first(terminal)));
  await terminal.page.mouse.move(x + 100, y + 100);
  for (let time = 0; time < times; time++) await terminal.page.mouse.wheel(0, pixels);
  const row = await terminal.page.evaluate(
    () => document.querySelector(".panel.shown .xterm-rows > div").getBoundingClientRect().height,
  );
  turned.pixels += pixels * times;
  const wanted = 1 + Math.floor(turned.pixels / row);
  await until(`line ${wanted}`, () => first(terminal), (now) => now === wanted);
  return wanted;
}

pageTest("a turn of the wheel is as many lines in a pager as it is elsewhere", {}, async ({ terminal }) => {
  await terminal.type("seq 1000 | less\n");
  await terminal.waitForText(/^1\n2\n/);
  const turned = { pixels: 0 };
  assert.ok((await turnWheel(terminal, turned, 120)) > 4);
  assert.ok((await turnWheel(terminal, turned, 600)) > 30);
  // A touchpad sends single pixels, and none of them is lost.
  assert.ok((await turnWheel(terminal, turned, 3, 50)) > 36);
  // This scrolls back to the beginning.
  await terminal.page.mouse.wheel(0, -5000);
  await until("the first line", () => first(terminal), (now) => now === 1);
});

pageTest("a program that reads the mouse gets the wheel itself", {}, async ({ terminal, page }) => {
  await terminal.type("printf '\\033[?1049h\\033[?1000h\\033[?1006h'; stty -icanon; cat -v\n");
  await until("the mouse's reports", () => page.locator(".panel.shown .enable-mouse-events").count());
  const box = await page.locator(".panel.shown .xterm-screen").boundingBox();
  await page.mouse.move(box.x + 200, box.y + 200);
  await page.mouse.wheel(0, 120);
  await terminal.waitForText(/\[<65;/);
  assert.doesNotMatch(await terminal.text(), /\[B/);
});
