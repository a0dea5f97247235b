// A shell in the page: its input and its output.

import { createHash } from "node:crypto";

import { assert, pageTest, until } from "./harness.mjs";

pageTest("what is typed is echoed and run", {}, async ({ terminal }) => {
  assert.equal(await terminal.run("echo $((6 * 7)) äöü 漢字"), "42 äöü 漢字");
});

pageTest("the program's size follows the window's", {}, async ({ terminal, page }) => {
  const size = async () => (await terminal.run("stty size")).split(" ").map(Number);
  const before = await size();
  assert.equal(before[0], (await terminal.rows()).length);
  await page.setViewportSize({ width: 700, height: 400 });
  const after = await until("a smaller size", size, ([rows, cols]) => rows < before[0] && cols < before[1]);
  assert.equal(after[0], (await terminal.rows()).length);
});

pageTest("Ctrl-C ends a flood", {}, async ({ terminal }) => {
  await terminal.type("yes\n");
  await terminal.waitForText(/y\ny\ny$/);
  await terminal.press("Control+c");
  await terminal.waitForPrompt();
  assert.equal(await terminal.run("echo done"), "done");
});

pageTest("a paste of a mebibyte arrives as it is", {}, async ({ terminal, server }) => {
  const text = Array.from({ length: 1 << 15 }, (_, line) => `${line}`.padStart(31, "=")).join("\r") + "\r";
  const hash = createHash("sha256").update(text).digest("hex");
  await terminal.type("stty raw -echo; head -c 1048576 | sha256sum; stty sane\n");
  // Before the program runs, the paste would go to the shell.
  await until(
    "the program",
    () => server.running(),
    (names) => names.includes("sha256sum"),
  );
  await terminal.paste(text);
  await terminal.waitForText(hash);
});

pageTest("a program that asks for it is told what is pasted", {}, async ({ terminal, server }) => {
  await terminal.type("printf '\\e[?2004h'; stty -icanon; head -c 24 | od -c; stty sane\n");
  await until(
    "the program",
    () => server.running(),
    (names) => names.includes("od"),
  );
  await terminal.paste("two\nlines");
  await terminal.type("!!!\n\n\n");
  await terminal.waitForText(/033 {3}\[ {3}2 {3}0 {3}0 {3}~ {3}t {3}w {3}o {2}\\n {3}l {3}i {3}n {3}e {3}s 033\n/);
  await terminal.waitForText(/0000020 {3}\[ {3}2 {3}0 {3}1 {3}~/);
});

pageTest("what is selected can be copied", {}, async ({ terminal }) => {
  await terminal.run("echo first; echo copied-''word; echo last");
  await terminal.click("copied-word", { clickCount: 2 });
  await terminal.press("Control+Shift+c");
  await until(
    "the copy",
    () => terminal.clipboard(),
    (text) => text === "copied-word",
  );
});

pageTest("a program can write to the clipboard, and cannot read it", {}, async ({ terminal, page }) => {
  await terminal.run("printf '\\e]52;c;%s\\a' $(printf from-program | base64)");
  await page.getByRole("button", { name: "Copy once" }).click();
  await until(
    "the copy",
    () => terminal.clipboard(),
    (text) => text === "from-program",
  );
  const answer = await terminal.run("printf '\\e]52;c;?\\a'; read -rs -t 1 -d x; echo \"[$REPLY]\" | cat -v");
  assert.doesNotMatch(answer, new RegExp(btoa("from-program")));
});
