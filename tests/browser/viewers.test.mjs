// One session, viewed again and by several viewers.

import { assert, pageTest, until } from "./harness.mjs";

/** Waits until two windows show the same, since one of them renders later. */
function waitForSameText(one, other) {
  return until(
    "the same text in both windows",
    () => Promise.all([one.text(), other.text()]),
    ([first, second]) => first === second,
  );
}

pageTest("a reload brings the same screen back", {}, async ({ terminal, page }) => {
  await terminal.run("for i in $(seq 100); do printf '%s \\e[3%dmcoloured\\e[m\\n' $i $((i % 8)); done");
  const before = await terminal.text();
  await page.reload();
  await until(
    "the same screen",
    () => terminal.text(),
    (text) => text === before,
  );
  assert.equal(await terminal.run("echo still here"), "still here");
});

pageTest("a reload in the middle of vim brings vim back", {}, async ({ terminal, page }) => {
  await terminal.type("vim -u NONE\n");
  await terminal.waitForText("VIM - Vi IMproved");
  await terminal.type("ihalf a sentence");
  await terminal.waitForText("half a sentence");
  await page.reload();
  await terminal.waitForText(/^half a sentence\n~\n~/);
  await terminal.type(" and the rest");
  await terminal.waitForText(/^half a sentence and the rest\n~\n~/);
  await terminal.press("Escape");
  await terminal.type(":q!\n");
  await terminal.waitForPrompt();
});

pageTest("another browser shows the same sessions as tabs", {}, async (world) => {
  const { terminal, page, link } = world;
  await terminal.run("echo in the first tab");
  await page.keyboard.press("Control+Shift+Enter");
  await terminal.waitForTabCount(2);
  await terminal.run("echo in the second tab");

  const other = (await world.window()).terminal;
  await other.open(link);
  await other.waitForTabCount(2);
  const texts = [];
  for (const place of [0, 1]) {
    await other.tab(place).click();
    await other.waitForPrompt();
    texts.push(await other.text());
  }
  assert.match(texts[0], /^in the first tab$/m);
  assert.match(texts[1], /^in the second tab$/m);
});

pageTest("two windows on one session show the same", {}, async (world) => {
  const { terminal, link } = world;
  const other = (await world.window()).terminal;
  await other.open(link);
  await terminal.type("echo from one");
  await other.waitForText(/ready> echo from one$/);
  await other.type(" and other\n");
  await terminal.waitForText(/^from one and other$/m);
  await terminal.waitForPrompt();
  await other.waitForPrompt();
  await waitForSameText(terminal, other);
});

pageTest("a program's questions are answered by one of several windows", {}, async (world) => {
  const { terminal, link } = world;
  const other = (await world.window()).terminal;
  await other.open(link);
  // vim queries the terminal's type, version, colours and cursor. Answers that nobody reads would
  // appear at the prompt.
  await other.type("vim -u NONE\n");
  await terminal.waitForText("VIM - Vi IMproved");
  await other.type(":q!\n");
  await other.waitForPrompt();
  // The program reads only the first answer, and then one more byte if there is any.
  const asked = await other.run(
    "IFS= read -rs -d c -p $'\\e[c' one; read -rs -t 1 -n 1 two; printf '%q %q\\n' \"$one\" \"$two\"",
  );
  assert.match(asked, /\? *[\d;]+' ''$/);
  await waitForSameText(terminal, other);
});

pageTest("a window that comes late answers nothing that was asked before", {}, async (world) => {
  const { terminal, link } = world;
  await terminal.run("for i in 1 2 3; do IFS= read -rs -d c -p $'\\e[c' one; done");
  const before = await terminal.text();
  const other = (await world.window()).terminal;
  await other.open(link);
  await until(
    "what the other shows",
    () => other.text(),
    (text) => text === before,
  );
  assert.equal(await other.run("echo clean"), "clean");
});

pageTest("the smaller of two windows can be read in the larger", {}, async (world) => {
  const { terminal, link } = world;
  const small = (await world.window({ viewport: { width: 700, height: 400 } })).terminal;
  await small.open(link);
  await small.command("Use my size");
  const size = async () => (await small.run("stty size")).split(" ").map(Number);
  const [rows] = await until("its own size", size, ([rows]) => rows < 24);
  assert.equal((await small.rows()).length, rows);
  await until(
    "as many rows",
    () => terminal.rows(),
    (all) => all.length === rows,
  );
  // Typing does not change the size.
  assert.match(await terminal.run("stty size"), new RegExp(`^${rows} `));
});
