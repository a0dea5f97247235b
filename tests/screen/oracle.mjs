// Feeds two xterm.js terminals and reports their differences.
//
// Requests come on standard input, one JSON object per line:
// `{cols, rows, scrollback, left: [step…], right: [step…]}`. A step is `["o", base64]` for output
// or `["r", cols, rows]` for another size. The answer, also one line, is an array of
// `[what, left, right]`, which is empty if both are equal. A request with `steps` in place of the
// two sides feeds one terminal; the answer is what that terminal answers to the program's queries.
// With `text` in their place, the answer is the visible rows and the position of the cursor.
//
// The terminals have the page's limits, which are the arguments, in the order in which
// `LimitsAddon` takes them.

import { createInterface } from "node:readline";
import { difference, shown, state } from "./state.mjs";
import { createTerminal } from "./terminal.mjs";

const LIMITS = process.argv.slice(2).map(Number);

async function run(size, steps, result) {
  const terminal = createTerminal(size, LIMITS);
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

// Corrects xterm.js: an alternate buffer that is not in use keeps room for the rows it once had,
// and then has a scrollback that it should not have.
function resize(terminal, cols, rows) {
  terminal.resize(cols, rows);
  const { alt } = terminal._core._bufferService.buffers;
  if (alt.lines.length === 0) alt.lines.maxLength = rows;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { left, right, steps, text, ...size } = JSON.parse(line);
  const answer = steps
    ? await run(size, steps, (terminal) => terminal.answers)
    : text
      ? await run(size, text, shown)
      : difference(await run(size, left, state), await run(size, right, state));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
