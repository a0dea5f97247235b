// Feeds two xterm.js terminals and says in what they differ.
//
// Requests come on standard input, one JSON object a line: `{cols, rows, scrollback, left: [step…], right: [step…]}`. A step is
// `["o", base64]` for output or `["r", cols, rows]` for another size; `right` may begin with `["s", cols, rows]`, the size that it
// begins with. The answer, one line as well, is an array of `[what, left, right]`, empty when both are equal. A request with `steps` in place
// of the two sides feeds one terminal; the answer is what that terminal answers to the program's questions.

import { createInterface } from "node:readline";
import headless from "@xterm/headless";
import { limit } from "./limits.mjs";
import { difference, state } from "./state.mjs";

// In Node.js the add-on would read its table from the wrong place of a shared Buffer.
const { Buffer } = globalThis;
delete globalThis.Buffer;
const { UnicodeGraphemesAddon } = await import("@xterm/addon-unicode-graphemes");
globalThis.Buffer = Buffer;

async function run({ cols, rows, scrollback }, steps, result) {
  const terminal = new headless.Terminal({
    allowProposedApi: true,
    cols,
    rows,
    scrollback,
    logLevel: "off",
    cursorBlink: true,
    vtExtensions: { kittyKeyboard: true },
    windowOptions: { pushTitle: true, popTitle: true, getWinSizeChars: true },
  });
  terminal.loadAddon(new UnicodeGraphemesAddon());
  // It forgets a hyperlink when the rows on which it began are gone, even while the pen still has it. Nobody wants that.
  terminal._core._oscLinkService._removeMarkerFromLink = () => {};
  limit(terminal);
  const palette = new Map();
  terminal._core._inputHandler.onColor((events) => {
    for (const { type, index, color } of events) {
      if (type === 1) palette.set(index, color.join());
      else if (type === 2 && index === undefined) [...palette.keys()].filter((key) => key < 256).forEach((key) => palette.delete(key));
      else if (type === 2) palette.delete(index);
    }
  });
  terminal.answers = "";
  terminal.onData((data) => (terminal.answers += data));
  for (const [kind, ...values] of steps) {
    if (kind === "o") await new Promise((done) => terminal.write(Buffer.from(values[0], "base64"), done));
    else resize(terminal, ...values);
  }
  const seen = result(terminal, palette);
  terminal.dispose();
  return seen;
}

// An alternate buffer that is not in use keeps room for the rows it once had, and then has a scrollback that it should not have.
function resize(terminal, cols, rows) {
  terminal.resize(cols, rows);
  const { alt } = terminal._core._bufferService.buffers;
  if (alt.lines.length === 0) alt.lines.maxLength = rows;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { left, right, steps, ...size } = JSON.parse(line);
  const answer = steps
    ? await run(size, steps, (terminal) => terminal.answers)
    : difference(await run(size, left, state), await run(size, right, state));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
