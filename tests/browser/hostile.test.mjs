// Output that is designed to keep a terminal busy. The tab stays responsive, later output is shown,
// and page and server then show the same.

import { setTimeout as pause } from "node:timers/promises";
import { assert, pageTest, until } from "./harness.mjs";
import { DEADLINE_MS } from "./harness/wait.mjs";

const MAX_COUNT = 2147483647;

/** Hostile output, keyed by what it attempts. Each ends in a state that can be compared. */
const HOSTILE = {
  "a repeat count without end": `x\x1b[${MAX_COUNT}b`,
  "300 of them": `x\x1b[${MAX_COUNT}b`.repeat(300),
  "a cluster without end, repeated": `a${"\u0301".repeat(1000)}\x1b[${MAX_COUNT}b`,
  "100,000 marks on one cell": `\x1b[2J\x1b[Ha${"\u0301".repeat(100_000)}b`,
  "emoji joined without end": `\x1b[2J\x1b[H${"\u{1f468}\u200d".repeat(30_000)}b`,
  "hyperlinks of 60 KB": `\x1b]8;;http://a/${"x".repeat(60_000)}\x07l\x1b]8;;\x07`.repeat(50),
  "thousands of hyperlinks": Array.from({ length: 3000 }, (_, i) => `\x1b]8;;http://a/${i}${"x".repeat(1900)}\x07l`).join(""),
  "hyperlinks without text": `\x1b]8;;http://a\x07`.repeat(20_000),
  "a hyperlink on each row": `\x1b]8;;http://a\x07${"x\r\n".repeat(20_000)}\x1b]8;;\x07`,
  "lines inserted and deleted": `top\x1b[H${`\x1b[${MAX_COUNT}L\x1b[${MAX_COUNT}M`.repeat(1500)}`,
  "rows scrolled up and down": `text${`\x1b[${MAX_COUNT}S\x1b[${MAX_COUNT}T`.repeat(1500)}`,
  "tab stops forward and back": `\x1b[3g${`\x1b[${MAX_COUNT}I\x1b[${MAX_COUNT}Z`.repeat(300)}\x1b[!p`,
  "cells inserted, deleted and erased": `${`abc\r\x1b[${MAX_COUNT}@\x1b[${MAX_COUNT}P\x1b[${MAX_COUNT}X`.repeat(3000)}`,
  "columns inserted, deleted and scrolled": `abc${`\x1b[${MAX_COUNT}'}\x1b[${MAX_COUNT}'~\x1b[${MAX_COUNT} @\x1b[${MAX_COUNT} A`.repeat(500)}`,
  "the screen erased and aligned": "\x1b[2J\x1b[1J\x1b#8\x1b[J".repeat(3000),
  "both screens in turn": "\x1b[?1049h\x1b[?1049l".repeat(3000),
  "resets": "\x1bc".repeat(3000),
  "options in turn": "\x1b[20h\x1b[20l".repeat(6000),
  "32,000 colours in one command": `\x1b]4${";1;#123456".repeat(6000)}\x07\x1b]104${";1".repeat(30_000)}\x07`,
  "colours without end": "\x1b]10;#123456\x07\x1b]110\x07".repeat(5000),
  "bells and questions": "\x07\x1b[c\x1b[6n\x05".repeat(5000),
};

pageTest("no output makes the tab hang, and page and server show the same", {}, async (world) => {
  const { terminal, server, page } = world;
  await terminal.type("stty -echo\n");
  for (const [name, output] of Object.entries(HOSTILE)) {
    await server.file("hostile", `${output}\x1b]8;;\x07\x1b[m\r\n${name}: over\r\n`);
    // The terminal's answers arrive as the shell's input, which must not execute them.
    await terminal.type("clear; cat hostile; read -rst 0.2 -n 100000; echo\n");
    await assertResponsive(page);
    await until(name, () => terminal.text(), (text) => text.includes(`${name}: over`));
    await until(`a prompt after ${name}`, () => terminal.text(), (text) => text.endsWith("\nready>"));
    await until(
      `the same on page and server after ${name}`,
      async () => (await terminal.text()) === (await serverText(server)),
    );
  }
});

pageTest("a window that is resized in a flood goes on", {}, async ({ terminal, page }) => {
  await terminal.type(`while :; do printf 'x\\e[${MAX_COUNT}b\\e[${MAX_COUNT}L'; done\n`);
  for (let width = 1000; width > 500; width -= 20) {
    await page.setViewportSize({ width, height: width - 200 });
    await assertResponsive(page);
  }
  await terminal.press("Control+c");
  await terminal.waitForText(/ready>$/);
  assert.match(await terminal.run("echo $COLUMNS"), /^\d+$/);
});

/** Fails if the tab does not answer. Playwright itself would wait for ever. */
async function assertResponsive(page) {
  const over = new AbortController();
  const hangs = pause(DEADLINE_MS, "hangs", { signal: over.signal }).catch(() => {});
  assert.equal(await Promise.race([page.evaluate(() => "answers"), hangs]), "answers");
  over.abort();
}

/** Returns the server's screen, in the form in which the page shows text. */
async function serverText(server) {
  const [{ id }] = await server.sessions();
  const response = await fetch(new URL(`api/sessions/${id}/screen`, server.url), {
    headers: { authorization: `Bearer ${server.token}` },
  });
  return (await response.text()).trimEnd();
}
