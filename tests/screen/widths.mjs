// Prints the server's table of widths for backend/screen/src/width/table.rs. Run it by
// `node tests/screen/widths.mjs`.

import { createTerminal } from "./terminal.mjs";

/** The names of the add-on's kinds in the table, by number. */
const KINDS = "OPERSLVTAAZX";

const create = () => createTerminal({ cols: 2, rows: 1, scrollback: 0 }, [32, 0, 0]);
const [byChar, byCluster] = [create(), create()];
await new Promise((done) => byCluster.write("\x1b[?2027h", done));
const properties = (terminal, char) => terminal._core.unicodeService.charProperties(char, 0);

const ranges = [];
for (let char = 0xa0; char < 0x110000; char++) {
  // Surrogates are not characters, and Hangul syllables are computed.
  if ((char >= 0xd800 && char < 0xe000) || (char >= 0xac00 && char <= 0xd7a3)) continue;
  const cluster = properties(byCluster, char);
  const kind = KINDS[(cluster >> 3) & 15];
  // The selector of the emoji presentation makes its cluster wide.
  const wide = char === 0xfe0f ? 1 : (cluster >> 1) & 3;
  const what = `${kind}, ${wide}, ${(properties(byChar, char) >> 1) & 3}`;
  if (what === "O, 1, 1") continue;
  const last = ranges.at(-1);
  if (last?.what === what && last.last === char - 1) last.last = char;
  else ranges.push({ first: char, last: char, what });
}
const hex = (char) => `0x${char.toString(16)}`;
const items = ranges.map(({ first, last, what }) => `(${hex(first)}, ${hex(last)}, ${what}),`);
console.log(`pub(super) const RANGES: [(u32, u32, super::Kind, u8, u8); ${items.length}] = [`);
for (let at = 0; at < items.length; at += 4) console.log(`    ${items.slice(at, at + 4).join(" ")}`);
console.log("];");
