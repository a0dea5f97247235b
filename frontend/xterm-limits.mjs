// Bounds what output can cost in xterm.js, in the same way as the server's own terminal does, so that both stay equal and
// no output stalls the page. docs/xterm.md lists each limit with its reason; the figures are those of shared/src/limits.rs.
//
// Parser hooks where xterm.js has them; where it has none, one method of one of its objects is replaced. Every internal is
// looked up by `internal`, which throws if it is missing, and `cargo xtask build` refuses any version but this one. What is not
// about limits, but about faults of xterm.js, is in the folder `xterm`.

import { correctSavedCursor } from "./xterm/cursor.mjs";
import { internal } from "./xterm/internal.mjs";
import { keepBeyondMargin } from "./xterm/margins.mjs";
import { obeySnapshots } from "./xterm/place.mjs";
import { correctPrinting } from "./xterm/printing.mjs";
import { Utf8Decoder } from "./xterm/utf8.mjs";
import { charCount, Widths } from "./xterm/widths.mjs";

/** The version of xterm.js whose sources the limits were held against. */
export const REVIEWED_VERSION = "6.1.0-beta.336";

/** Work of one piece of output, in cells written: some 50 ms on a slow machine. xterm.js looks at the clock between pieces. */
const PIECE_COST = 8_000_000;

/** Bytes of one piece of output. */
const MAX_PIECE_BYTES = 64 * 1024;

/** Work of a control function that touches no cell, in the same unit: a reset is the most expensive one. */
const FUNCTION_COST = 8_000;

/** Longest control string that has any effect, in bytes of UTF-8 with its number: the server's terminal ignores longer ones. */
const MAX_STRING_BYTES = 64 * 1024;

/** OSCs that change the terminal's state: title, palette, hyperlink, colours, and resets of them. */
const STATEFUL_OSCS = [0, 1, 2, 4, 8, 10, 11, 12, 104];

/** Of xterm.js's input handler, what carries out the OSCs that set colours or ask for them. */
const COLOUR_METHODS = {
  4: "setOrReportIndexedColor",
  10: "setOrReportFgColor",
  11: "setOrReportBgColor",
  12: "setOrReportCursorColor",
};

/** Text of all hyperlinks that cells may name at a time, in bytes. Further ones are text without a link. */
const MAX_LINKS_BYTES = 16 * 1024 * 1024;

/** Text of new hyperlinks after which those that no cell names any more are dropped, unless more than that is kept anyway. */
const MIN_SWEEP_BYTES = 1024 * 1024;

/** What a hyperlink takes beside its text, in bytes. */
const LINK_BYTES = 128;

/** In a cell's background: it has extended attributes, such as a hyperlink. */
const HAS_EXTENDED = 0x10000000;

/** An add-on of xterm.js, for any terminal, headless or not. It is loaded after the others, and after `open`. */
export class LimitsAddon {
  #limits;
  #terminal;
  /** The size that the terminal has when all that it was given is parsed. */
  #size;

  /** The constants are those of shared/src/limits.rs. */
  constructor(clusterChars, linkUriBytes, linkIdBytes) {
    this.#limits = { clusterChars, linkUriBytes, linkIdBytes };
  }

  activate(terminal) {
    this.#terminal = terminal;
    this.#size = { cols: terminal.cols, rows: terminal.rows };
    const core = internal(terminal, "_core");
    limitCounts(core);
    limitNewlineMode(core);
    const widths = new Widths(core, this.#limits.clusterChars);
    keepBeyondMargin(core);
    correctPrinting(core, widths);
    correctSavedCursor(core);
    obeySnapshots(terminal, core);
    decodeAsBrowsers(internal(core, "_inputHandler"));
    limitStrings(terminal, internal(core, "_inputHandler"), this.#limits);
    limitLinks(internal(core, "_oscLinkService"), internal(internal(core, "_bufferService"), "buffers"));
    // Only a terminal in a page has colours. A change makes a style sheet anew, and one OSC can hold thousands of them.
    if (core._themeService) mergeEvents(internal(core._themeService, "_onChangeColors"));
    // Before a resize xterm.js parses all that waits at once, however much that is; `resize` waits instead.
    internal(core, "_writeBuffer").flushSync = () => {};
  }

  /** What is replaced stays so for as long as the terminal lives. */
  dispose() {}

  /**
   * Queues output in pieces of bounded cost. `parsed` is called after the last one.
   *
   * A byte writes at most a row, or moves as many rows as there are; a control function, which has at least one byte of
   * its own that begins it, touches each cell once.
   */
  write(bytes, parsed) {
    const terminal = this.#terminal;
    const { cols, rows } = this.#size;
    const byteCost = cols + rows;
    // Repeated in insert mode a character moves the rest of its row as often as that has cells.
    const functionCost = cols * Math.max(rows, cols >> 3) + FUNCTION_COST;
    let start = 0;
    let cost = 0;
    for (let at = 0; at < bytes.length; at++) {
      // ESC, and the last byte of the C1 controls that begin a sequence.
      cost += bytes[at] === 0x1b || bytes[at] === 0x9b ? functionCost : byteCost;
      if (cost >= PIECE_COST || at - start === MAX_PIECE_BYTES) {
        terminal.write(bytes.subarray(start, at));
        start = at;
        cost = functionCost;
      }
    }
    terminal.write(bytes.subarray(start), parsed);
  }

  /** Sets what an `OSC 4`, `10`, `11` or `12` says of colours, and leaves out what it asks. */
  setColours(number, data) {
    if (isLonger(`${number};${data}`, MAX_STRING_BYTES)) return;
    const input = internal(this.#terminal._core, "_inputHandler");
    const settings = data.split(";").map((field) => (field === "?" ? "" : field)).join(";");
    internal(input, COLOUR_METHODS[number]).call(input, settings);
  }

  /** Resizes the terminal after all that it was given so far, and before what it is given later. */
  resize(cols, rows) {
    if (cols === this.#size.cols && rows === this.#size.rows) return;
    this.#size = { cols, rows };
    const terminal = this.#terminal;
    const resize = () => terminal.resize(cols, rows);
    if (terminal._core._writeBuffer._writeBuffer.length === 0) resize();
    else terminal.write("", resize);
  }
}

/** Has bytes that are no UTF-8 shown as U+FFFD. A character that was begun may become one more code point than a piece has bytes. */
function decodeAsBrowsers(input) {
  internal(input, "_utf8Decoder");
  input._utf8Decoder = new Utf8Decoder();
  internal(input, "_parseBuffer");
  input._parseBuffer = new Uint32Array(MAX_PIECE_BYTES + 1);
}

/** Counts that xterm.js loops over, one by one. The handlers that are asked first change the parameters in place. */
function limitCounts(core) {
  const input = internal(core, "_inputHandler");
  const parser = internal(input, "_parser");
  const service = internal(core, "_bufferService");
  const limit = (final, most) =>
    parser.registerCsiHandler({ final }, ({ params }) => {
      if (params[0] > 1) params[0] = Math.min(params[0], most(params[0]));
      return false;
    });
  for (const final of "LMST^") limit(final, () => service.rows);
  for (const final of "IZ") limit(final, () => service.cols);
  limit("b", (count) => {
    const { buffer, cols, rows } = service;
    const width = (parser.precedingJoinState >> 1) & 3;
    const glyph = buffer.lines.get(buffer.ybase + buffer.y)?.getString(buffer.x - width) ?? "";
    const { insertMode } = core.coreService.modes;
    const cells = insertMode ? cols : cols * (rows + 1);
    const most = Math.max(1, Math.floor(cells / Math.max(1, charCount(glyph))));
    const perRow = Math.floor(cols / Math.max(1, width));
    if (count <= most || insertMode || most < perRow) return most;
    // The cursor comes to the same column.
    return most - ((most - (count % perRow)) % perRow);
  });
}

/** LNM, which is an option of xterm.js: a change of one makes the page look at everything anew, unless it is done already. */
function limitNewlineMode(core) {
  const { rawOptions } = internal(core, "optionsService");
  const set = (final, convertEol) =>
    core._inputHandler._parser.registerCsiHandler({ final }, ({ params, length }) => {
      if (params.subarray(0, length).includes(20)) rawOptions.convertEol = convertEol;
      return false;
    });
  set("h", true);
  set("l", false);
}

function limitStrings(terminal, input, { linkUriBytes, linkIdBytes }) {
  const setHyperlink = internal(input, "setHyperlink").bind(input);
  for (const number of STATEFUL_OSCS) {
    terminal.parser.registerOscHandler(number, (data) => {
      if (isLonger(`${number};${data}`, MAX_STRING_BYTES)) return true;
      if (number !== 8 || !isLongLink(data)) return false;
      // As if there were no link.
      setHyperlink(";");
      return true;
    });
  }

  function isLongLink(data) {
    const end = data.indexOf(";");
    const id = data.slice(0, end).trim().split(":").find((param) => param.startsWith("id=")) ?? "id=";
    return isLonger(data.slice(end + 1), linkUriBytes) || isLonger(id.slice(3), linkIdBytes);
  }
}

/**
 * Hyperlinks, each of which is kept once for as long as cells name it. xterm.js has markers follow the rows of each one,
 * and looks through them with each character.
 */
function limitLinks(service, buffers) {
  const links = internal(service, "_dataByLinkId");
  const ids = new Map();
  let bytes = 0;
  let bytesAfterSweep = 0;
  let bytesSinceSweep = 0;

  internal(service, "addLineToLink");
  service.addLineToLink = () => {};
  internal(service, "registerLink");
  service.registerLink = (data) => {
    const key = `${data.id ?? ""};${data.uri}`;
    if (ids.has(key)) return ids.get(key);
    const added = 2 * key.length + LINK_BYTES;
    bytesSinceSweep += added;
    if (bytesSinceSweep > Math.max(MIN_SWEEP_BYTES, bytesAfterSweep)) sweep();
    if (bytes + added > MAX_LINKS_BYTES) return 0;
    bytes += added;
    const id = service._nextId++;
    links.set(id, { data, key, bytes: added });
    ids.set(key, id);
    return id;
  };

  function sweep() {
    const shown = new Set();
    for (const { lines } of [buffers.normal, buffers.alt]) {
      for (let y = 0; y < lines.length; y++) addShownLinks(lines.get(y), shown);
    }
    for (const [id, link] of links) {
      if (shown.has(id)) continue;
      links.delete(id);
      ids.delete(link.key);
      bytes -= link.bytes;
    }
    bytesAfterSweep = bytes;
    bytesSinceSweep = 0;
  }
}

function addShownLinks(row, shown) {
  if (row.beyond) addShownLinks(row.beyond.whole, shown);
  // What is not marked as extended has been overwritten.
  for (const column in row._extendedAttrs) {
    if (row.getBg(column) & HAS_EXTENDED) shown.add(row._extendedAttrs[column].urlId);
  }
}

/** Of several events in a task, the listeners are told the last one, before anything is drawn. */
function mergeEvents(emitter) {
  const fire = internal(emitter, "fire").bind(emitter);
  let last;
  emitter.fire = (event) => {
    if (last === undefined) {
      queueMicrotask(() => {
        const merged = last;
        last = undefined;
        fire(merged);
      });
    }
    last = event;
  };
}

function isLonger(text, bytes) {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}
