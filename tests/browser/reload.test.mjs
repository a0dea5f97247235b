// Reloading: the screen is the same as before, to the last colour.

import { assert, pageTest, until } from "./harness.mjs";

const ROWS = ".panel.shown .xterm-rows";

/** Returns the rendered rows with all styles, without the cursor's blinking state. */
async function renderedRows(page) {
  const html = await page.locator(ROWS).innerHTML();
  return html.replaceAll(/ ?xterm-cursor-(blink|outline)/g, "").replaceAll(/ ?xterm-cursor-pointer/g, "");
}

/** Reloads, and waits until the page shows the same. */
async function assertSameAfterReload(world, name) {
  const { terminal, page } = world;
  let before = "";
  const isStill = async () => {
    const same = (await renderedRows(page)) === before;
    before = await renderedRows(page);
    return same;
  };
  await until("a picture that keeps still", isStill);
  await world.screenshot(page, `${name}-before-reload`);
  await page.reload();
  const now = () => renderedRows(page).catch(() => "not there yet");
  await until(`${name} as it was`, now, (now) => now === before);
  await terminal.focus();
}

const SOURCE = `/* A program. */
int main(void) {
    const char *words[] = { "hold", "on" };
    for (int n = 0; n < 2; n++) puts(words[n]);
    return 0;
}
`;

const PROGRAMS = {
  vim: {
    command: "vim -u NONE -N --cmd 'syntax on' --cmd 'set number mouse=a' source.c",
    ready: "A program",
    keys: [":vsplit\n", ":set hlsearch\n", "/words\n"],
  },
  less: { command: "less source.c", ready: "A program", keys: ["/words\n"] },
  tmux: {
    command: "tmux -f /dev/null -L limpet-reload new 'PS1=in- bash --norc'",
    ready: "in-",
    keys: ["tmux -L limpet-reload set status off; ls --color -la /\n", "\x02", "%", "ls\n"],
  },
};

for (const [name, { command, ready, keys }] of Object.entries(PROGRAMS)) {
  pageTest(`a reload in ${name} changes nothing`, {}, async (world) => {
    const { terminal, server } = world;
    await server.file("source.c", SOURCE.repeat(20));
    await terminal.type(`${command}\n`);
    await terminal.waitForText(ready);
    for (const key of keys) await (key === "\x02" ? terminal.press("Control+b") : terminal.type(key));
    await assertSameAfterReload(world, name);
  });
}

pageTest("a reload keeps styles, the title and what a program asked of the terminal", {}, async (world) => {
  const { terminal } = world;
  const text = String.raw`\e[1;31mred\e[0m \e[48;5;24mground\e[0m \e[38;2;250;150;0mrgb\e[0m \e[4:3mcurly\e[0m 日本 e\u0301 🇩🇪 \e]2;kept\a\e[?2004h`;
  await terminal.type(`printf '${text}'; cat -v\n`);
  await terminal.waitForText("curly");
  await assertSameAfterReload(world, "styles");
  await until("the title", () => terminal.tabs(), (tabs) => tabs.includes("kept"));
  await terminal.paste("pasted");
  await terminal.waitForText("^[[200~pasted^[[201~");
});

pageTest("who scrolls up after a reload finds all of the scrollback", {}, async ({ terminal, page }) => {
  await terminal.type("clear; seq 4000\n");
  await terminal.waitForText("4000\n");
  await page.reload();
  await terminal.waitForText("4000\n");
  const scrollUp = async () => {
    await page.keyboard.press("Shift+PageUp");
    return Number((await terminal.rows())[0]);
  };
  await until("the first line", scrollUp, (line) => line === 1);
  assert.equal(Number((await terminal.rows())[1]), 2);
});
