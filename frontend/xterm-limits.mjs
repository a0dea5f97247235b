// Limits on the cost of output in xterm.js. They equal those of the server's own terminal, so that
// both show the same and no output stalls the page. docs/xterm.md lists each limit with its reason;
// the figures are those of shared/src/limits.rs.
//
// The limits use parser hooks where xterm.js has them; elsewhere they replace one method of one of
// its objects. Every internal is looked up by `internal`, which throws if it is missing, and
// `cargo xtask build` refuses any version but the reviewed one. Corrections of faults of xterm.js,
// which are not limits, are in the folder `xterm`.

import { correctSavedCursor } from "./xterm/cursor.mjs";
import { internal } from "./xterm/internal.mjs";
import { keepBeyondMargin } from "./xterm/margins.mjs";
import { installSnapshotCommand } from "./xterm/snapshot-command.mjs";
import { correctPrinting } from "./xterm/printing.mjs";
import { Utf8Decoder } from "./xterm/utf8.mjs";
import { charCount, Widths } from "./xterm/widths.mjs";

/** The version of xterm.js whose sources the limits were checked against. */
export const REVIEWED_VERSION = "6.1.0-beta.336";

/**
 * Maximum cost of one piece of output, in cells written: some 50 ms on a slow machine. xterm.js
 * checks the clock between pieces.
 */
const PIECE_COST = 8_000_000;

/** Maximum size of one piece of output, in bytes. */
const MAX_PIECE_BYTES = 64 * 1024;

/**
 * Cost of a control function that touches no cell, in the same unit. A reset is the most expensive
 * one.
 */
const FUNCTION_COST_CELLS = 8_000;

/**
 * Maximum length of a control string that has any effect, in bytes of UTF-8, including its number.
 * The server's terminal ignores longer ones.
 */
const MAX_STRING_BYTES = 64 * 1024;

/**
 * The OSCs that change the terminal's state: title, palette, hyperlink, colours, and resets of
 * them.
 */
const STATEFUL_OSCS = [0, 1, 2, 4, 8, 10, 11, 12, 104];

/**
 * The methods of xterm.js's input handler that execute the OSCs for setting or querying colours.
 */
const COLOUR_METHODS = {
  4: "setOrReportIndexedColor",
  10: "setOrReportFgColor",
  11: "setOrReportBgColor",
  12: "setOrReportCursorColor",
};

/**
 * Maximum total size of the hyperlinks that cells may refer to at a time, in bytes. Text of further
 * ones has no link.
 */
const MAX_LINKS_BYTES = 16 * 1024 * 1024;

/**
 * Minimum size of new hyperlinks, in bytes, before those that no cell refers to any more are
 * dropped. If more than that is retained anyway, the threshold is the retained size.
 */
const MIN_SWEEP_BYTES = 1024 * 1024;

/** Overhead of a hyperlink beside its text, in bytes. */
const LINK_OVERHEAD_BYTES = 128;

/**
 * The flag in a cell's background that says that the cell has extended attributes, such as a
 * hyperlink.
 */
const HAS_EXTENDED = 0x10000000;

/**
 * An add-on for any terminal of xterm.js, headless or not. It is loaded after the others, and after
 * `open`.
 */
export class LimitsAddon {
  #limits;
  #terminal;
  /** The size that the terminal will have when all output so far is parsed. */
  #size;

  /** Takes constants of shared/src/limits.rs. */
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
    installSnapshotCommand(terminal, core);
    replaceUtf8Decoder(internal(core, "_inputHandler"));
    limitControlStrings(terminal, internal(core, "_inputHandler"), this.#limits);
    limitLinks(internal(core, "_oscLinkService"), internal(internal(core, "_bufferService"), "buffers"));
    // Only a terminal in a page has colours. A change rebuilds a style sheet, and one OSC can
    // contain thousands of changes.
    if (core._themeService) mergeEvents(internal(core._themeService, "_onChangeColors"));
    // Before a resize, xterm.js parses all queued output at once, however long that takes. `resize`
    // waits instead.
    internal(core, "_writeBuffer").flushSync = () => {};
  }

  /** Does nothing: replaced methods stay replaced as long as the terminal lives. */
  dispose() {}

  /**
   * Queues output in pieces of bounded cost. `parsed` is called after the last one.
   *
   * A byte writes at most one row, or moves at most all rows. A control function, which begins with
   * at least one byte of its own, touches each cell once.
   */
  write(bytes, parsed) {
    const terminal = this.#terminal;
    const { cols, rows } = this.#size;
    const byteCost = cols + rows;
    // A character that is repeated in insert mode moves the rest of its row as many times as the
    // row has cells.
    const functionCost = cols * Math.max(rows, cols >> 3) + FUNCTION_COST_CELLS;
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

  /** Sets the colours of an `OSC 4`, `10`, `11` or `12`, and ignores its queries. */
  setColours(number, data) {
    if (isLonger(`${number};${data}`, MAX_STRING_BYTES)) return;
    const input = internal(this.#terminal._core, "_inputHandler");
    const settings = data.split(";").map((field) => (field === "?" ? "" : field)).join(";");
    internal(input, COLOUR_METHODS[number]).call(input, settings);
  }

  /** Resizes the terminal after all output so far, and before later output. */
  resize(cols, rows) {
    if (cols === this.#size.cols && rows === this.#size.rows) return;
    this.#size = { cols, rows };
    const terminal = this.#terminal;
    const resize = () => terminal.resize(cols, rows);
    if (terminal._core._writeBuffer._writeBuffer.length === 0) resize();
    else terminal.write("", resize);
  }
}

/**
 * Makes invalid UTF-8 appear as U+FFFD. With an unfinished character before it, a piece may decode
 * to one code point more than it has bytes.
 */
function replaceUtf8Decoder(input) {
  internal(input, "_utf8Decoder");
  input._utf8Decoder = new Utf8Decoder();
  internal(input, "_parseBuffer");
  input._parseBuffer = new Uint32Array(MAX_PIECE_BYTES + 1);
}

/**
 * Limits the repeat counts of control functions that xterm.js executes in a loop. These handlers
 * are called first and change the parameters in place.
 */
function limitCounts(core) {
  const input = internal(core, "_inputHandler");
  const parser = internal(input, "_parser");
  const service = internal(core, "_bufferService");
  const limit = (final, maxCount) =>
    parser.registerCsiHandler({ final }, ({ params }) => {
      if (params[0] > 1) params[0] = Math.min(params[0], maxCount(params[0]));
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
    const maxCount = Math.max(1, Math.floor(cells / Math.max(1, charCount(glyph))));
    const perRow = Math.floor(cols / Math.max(1, width));
    if (count <= maxCount || insertMode || maxCount < perRow) return maxCount;
    // The cursor ends in the same column.
    return maxCount - ((maxCount - (count % perRow)) % perRow);
  });
}

/**
 * Sets the option by which xterm.js implements LNM before xterm.js does so itself. A change by
 * xterm.js makes the page re-evaluate all options, but not if the option has the new value already.
 */
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

function limitControlStrings(terminal, input, { linkUriBytes, linkIdBytes }) {
  const setHyperlink = internal(input, "setHyperlink").bind(input);
  for (const number of STATEFUL_OSCS) {
    terminal.parser.registerOscHandler(number, (data) => {
      if (isLonger(`${number};${data}`, MAX_STRING_BYTES)) return true;
      if (number !== 8 || !isLongLink(data)) return false;
      // The text has no link.
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
 * Stores each hyperlink once, for as long as cells refer to it. xterm.js makes markers follow the
 * rows of each hyperlink, and searches them for each character.
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
    const added = 2 * key.length + LINK_OVERHEAD_BYTES;
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
  if (row.cellsBeyondMargin) addShownLinks(row.cellsBeyondMargin.whole, shown);
  // The attributes of a cell that is not marked as extended are stale.
  for (const column in row._extendedAttrs) {
    if (row.getBg(column) & HAS_EXTENDED) shown.add(row._extendedAttrs[column].urlId);
  }
}

/** Merges the events of one task: listeners get the last one, before anything is drawn. */
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
