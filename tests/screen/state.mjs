// The state of an xterm.js terminal that a user or a program could notice.

const HAS_EXTENDED = 0x10000000;
const UNDERLINE = 0x10000000;
const UNDERLINE_KIND = 0x1c000000;
const SINGLE = 0x04000000;

export function state(terminal, palette) {
  const core = terminal._core;
  const { buffers } = core._bufferService;
  const { modes, decPrivateModes, kittyKeyboard, isCursorHidden } = core.coreService;
  const charset = core._charsetService;
  const links = core._oscLinkService;
  const alternate = buffers.active === buffers.alt;
  const join = core._inputHandler._parser.precedingJoinState;
  return {
    size: [terminal.cols, terminal.rows],
    alternate,
    primary: buffer(buffers.normal, links, !alternate),
    alt: buffer(buffers.alt, links, alternate),
    pen: style(core._inputHandler._curAttrData, links),
    join: join === 0 ? 0 : [(join >> 3) & 15, (join >> 1) & 3],
    modes: { ...modes, ...decPrivateModes },
    hidden: isCursorHidden,
    newline: terminal.options.convertEol,
    mouse: [core.mouseStateService.activeProtocol, core.mouseStateService._activeEncoding],
    keyboard: [
      kittyKeyboard.flags,
      alternate ? kittyKeyboard.mainFlags : kittyKeyboard.altFlags,
      kittyKeyboard.mainStack,
      kittyKeyboard.altStack,
    ],
    charsets: [0, 1, 2, 3].map((level) => set(charset.charsets[level])),
    level: charset.glevel,
    title: core._inputHandler._windowTitle,
    titles: core._inputHandler._windowTitleStack,
    palette: [...palette.entries()].sort(([one], [other]) => one - other),
  };
}

// Returns the visible text.
export function shown(terminal) {
  const { active } = terminal.buffer;
  const rows = Array.from({ length: terminal.rows }, (_, y) => active.getLine(active.baseY + y));
  return [rows.map((row) => row.translateToString().replace(/ +$/, "")), [Math.min(active.cursorX, terminal.cols - 1), active.cursorY]];
}

function buffer(buffer, links, active) {
  const saved = {
    // The state as it would be restored.
    x: Math.min(buffer.savedX, buffer._cols - 1),
    y: Math.min(Math.max(buffer.savedY - buffer.ybase, 0), buffer._rows - 1),
    fg: buffer.savedCurAttrData.fg,
    bg: buffer.savedCurAttrData.bg & ~HAS_EXTENDED,
    charsets: [0, 1, 2, 3].map((level) => set(buffer.savedCharsets[level])),
    level: buffer.savedGlevel,
    origin: buffer.savedOriginMode,
    autowrap: buffer.savedWraparoundMode,
  };
  const rows = [];
  for (let y = 0; y < buffer.lines.length; y++) rows.push(row(buffer.lines.get(y), buffer._cols, links));
  const place = active ? { x: buffer.x, y: buffer.y } : {};
  const tabs = Object.keys(buffer.tabs).filter((column) => buffer.tabs[column] && column < buffer._cols);
  const used = rows.length > 0;
  return {
    ...place,
    base: buffer.ybase,
    region: used ? [buffer.scrollTop, buffer.scrollBottom] : 0,
    tabs: used ? tabs.join() : "",
    saved,
    rows,
  };
}

function row(line, cols, links) {
  const cells = [];
  const cell = line.getCell(0);
  for (let x = 0; x < cols; x++) {
    line.loadCell(x, cell);
    cells.push([cell.getChars(), cell.getWidth(), ...style(cell, links)]);
  }
  return { wrapped: line.isWrapped, cells };
}

// The kind of underline of a hyperlink is fixed and hides the one that was set. DECALN and DECRC
// can switch on an underline without a kind, which is taken for a single one.
function style(attributes, links) {
  const { urlId, ext } = attributes.bg & HAS_EXTENDED ? attributes.extended : { urlId: 0, ext: 0 };
  const uri = urlId ? (links.getLinkData(urlId)?.uri ?? "") : "";
  const kind = attributes.fg & UNDERLINE && !(ext & UNDERLINE_KIND) ? SINGLE : 0;
  return [attributes.fg, attributes.bg & ~HAS_EXTENDED, urlId ? 0 : (ext & 0x1fffffff) | kind, uri];
}

function set(charset) {
  return charset === undefined ? "" : Object.entries(charset).join();
}

// Returns a short list of differences. For cells it holds the first few positions.
export function difference(left, right, path = "", found = []) {
  if (found.length >= 8) return found;
  if (typeof left !== "object" || left === null || right === null || typeof right !== "object") {
    if (left !== right) found.push([path, left, right]);
    return found;
  }
  if (path.endsWith(".cells")) {
    const at = left.findIndex((cell, x) => cell.join("\u0001") !== right[x]?.join("\u0001"));
    if (at >= 0 || left.length !== right.length) found.push([`${path}[${at}]`, left[at], right[at]]);
    return found;
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    difference(left[key], right[key], `${path}.${key}`, found);
  }
  return found;
}
