// An xterm.js terminal as in the page, with its grapheme add-on and its limits.

import headless from "@xterm/headless";
import { LimitsAddon } from "../../frontend/xterm-limits.mjs";

// In Node.js the add-on would read its table from the wrong offset of a shared Buffer.
const { Buffer } = globalThis;
delete globalThis.Buffer;
const { UnicodeGraphemesAddon } = await import("@xterm/addon-unicode-graphemes");
globalThis.Buffer = Buffer;

/** `limits` are the arguments of `LimitsAddon`. */
export function createTerminal({ cols, rows, scrollback }, limits) {
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
  terminal.loadAddon(new LimitsAddon(...limits));
  return terminal;
}
