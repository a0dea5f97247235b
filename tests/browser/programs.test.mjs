// Programs that use the whole screen, and the mouse.

import { assert, pageTest, until } from "./harness.mjs";

/**
 * Runs a full-screen program, and checks that the screen is as before when the program has ended.
 */
async function assertScreenRestored(terminal, { start, shows, leave }) {
  await terminal.run("echo left behind");
  const before = await terminal.text();
  await terminal.type(`${start}\n`);
  await terminal.waitForText(shows);
  assert.doesNotMatch(await terminal.text(), /left behind/);
  await leave();
  await terminal.waitForPrompt();
  assert.equal(await terminal.text(), `${before} ${start}\nready>`);
}

pageTest("vim comes and goes", {}, async ({ terminal }) => {
  await assertScreenRestored(terminal, {
    start: "vim -u NONE",
    shows: "VIM - Vi IMproved",
    leave: () => terminal.type(":q!\n"),
  });
});

pageTest("less comes and goes", {}, async ({ terminal, server }) => {
  await server.file("numbers", Array.from({ length: 500 }, (_, line) => `line ${line}`).join("\n"));
  await assertScreenRestored(terminal, {
    start: "less numbers",
    shows: /^line 0\nline 1\n/,
    async leave() {
      await terminal.press("End");
      await terminal.waitForText(/line 499\n\(END\)$/);
      await terminal.type("q");
    },
  });
});

pageTest("htop comes and goes", {}, async ({ terminal }) => {
  await assertScreenRestored(terminal, {
    start: "htop",
    shows: /F10Quit/,
    leave: () => terminal.press("F10"),
  });
});

pageTest("a click moves vim's cursor", {}, async ({ terminal, server }) => {
  await server.file("text", "first line\nsecond line\nthird target line\n");
  await terminal.type("vim -u NONE -c 'set mouse=a ttymouse=sgr' text\n");
  await terminal.waitForText("third target line");
  await terminal.click("target");
  await terminal.type("ihere:");
  await terminal.waitForText("third here:target line");
  await terminal.press("Escape");
  await terminal.type(":q!\n");
  await terminal.waitForPrompt();
});

pageTest("the wheel scrolls what less shows", {}, async ({ terminal, server, page }) => {
  await server.file("numbers", Array.from({ length: 500 }, (_, line) => `line ${line}`).join("\n"));
  await terminal.type("less numbers\n");
  await terminal.waitForText(/^line 0\nline 1\n/);
  const { x, y } = await terminal.place("line 5");
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, 200);
  await until(
    "later lines",
    () => terminal.text(),
    (text) => /^line [1-9]/.test(text),
  );
  await terminal.type("q");
  await terminal.waitForPrompt();
});

pageTest("tmux runs", {}, async ({ terminal }) => {
  await terminal.type("TMUX_TMPDIR=$PWD tmux -f /dev/null new-session 'bash --norc --noprofile'\n");
  await terminal.waitForText(/\[0\] 0:bash\*/);
  await terminal.type("echo in $TERM; stty size\n");
  await terminal.waitForText(/in (tmux|screen)/);
  await terminal.press("Control+b");
  await terminal.type("%");
  await terminal.waitForText(/│.*[#$] *\n/);
  await terminal.press("Control+b");
  await terminal.type(":");
  await terminal.waitForText(/\n:$/);
  await terminal.type("kill-server\n");
  await terminal.waitForPrompt();
});

pageTest("the REPL of Python runs", {}, async ({ terminal }) => {
  await terminal.type("python3 -q\n");
  await terminal.waitForText(/>>>$/);
  await terminal.type("print('-'.join('limpet'))\n");
  await terminal.waitForText("l-i-m-p-e-t");
  await terminal.press("ArrowUp");
  await terminal.waitForText(/>>> print\('-'\.join\('limpet'\)\)$/);
  await terminal.press("Control+c");
  await terminal.press("Control+d");
  await terminal.waitForPrompt();
});
