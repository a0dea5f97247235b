// Keys as programs get them.

import { assert, pageTest } from "./harness.mjs";

/** Starts a program that shows each byte at once. */
async function show(terminal, modes) {
  await terminal.prompt();
  await terminal.type(`clear; printf '${modes}'; stty raw -echo; printf 'here '; cat -v\n`);
  await terminal.shows(/^here$/m);
}

pageTest("Ctrl makes the control characters that it makes in every terminal", {}, async ({ terminal, page }) => {
  await show(terminal, "");
  for (const key of ["Control+2", "Control+3", "Control+8", "Control+/", "Control+Space", "Control+Backquote"]) {
    await page.keyboard.press(key);
  }
  for (const letter of ["B", "D", "E", "G", "L", "U", "Z"]) await page.keyboard.press(`Control+Shift+${letter}`);
  // Shift with digits is reserved for the page's own shortcuts.
  await page.keyboard.press("Control+Shift+Minus");
  await terminal.shows(/^here \^@\^\[\^\?\^_\^@\^@\^B\^D\^E\^G\^L\^U\^Z\^_$/m);
});

pageTest("with kitty's keyboard protocol each key is told apart", {}, async ({ terminal, page }) => {
  await show(terminal, "\\033[>1u");
  for (const key of ["Control+2", "Control+Shift+B", "Control+b", "Control+Shift+Z", "Control+Backquote"]) {
    await page.keyboard.press(key);
  }
  await terminal.shows(/^here \^\[\[50;5u\^\[\[98;6u\^\[\[98;5u\^\[\[122;6u\^\[\[96;5u$/m);
  assert.equal(await terminal.banner().count(), 0);
});
