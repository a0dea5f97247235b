// Keys as programs get them.

import { assert, pageTest } from "./harness.mjs";

/** Starts a program that shows each byte at once. */
async function startByteDisplay(terminal, modes) {
  await terminal.waitForPrompt();
  await terminal.type(`clear; printf '${modes}'; stty raw -echo; printf 'here '; cat -v\n`);
  await terminal.waitForText(/^here$/m);
}

pageTest("Ctrl makes the control characters that it makes in every terminal", {}, async ({ terminal, page }) => {
  await startByteDisplay(terminal, "");
  for (const key of ["Control+2", "Control+3", "Control+8", "Control+/", "Control+Space", "Control+Backquote"]) {
    await page.keyboard.press(key);
  }
  for (const letter of ["B", "D", "E", "G", "L", "U", "Z"]) await page.keyboard.press(`Control+Shift+${letter}`);
  // Shift with digits is reserved for the page's own shortcuts.
  await page.keyboard.press("Control+Shift+Minus");
  await terminal.waitForText(/^here \^@\^\[\^\?\^_\^@\^@\^B\^D\^E\^G\^L\^U\^Z\^_$/m);
});

pageTest("with kitty's keyboard protocol each key is told apart", {}, async ({ terminal, page }) => {
  await startByteDisplay(terminal, "\\033[>1u");
  for (const key of ["Control+2", "Control+Shift+B", "Control+b", "Control+Shift+Z", "Control+Backquote"]) {
    await page.keyboard.press(key);
  }
  await terminal.waitForText(/^here \^\[\[50;5u\^\[\[98;6u\^\[\[98;5u\^\[\[122;6u\^\[\[96;5u$/m);
  assert.equal(await terminal.banner().count(), 0);
});
