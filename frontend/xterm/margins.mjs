// Cells beyond the margin of a terminal that became narrower. xterm.js drops them in the line with
// the cursor, which it does not reflow, and keeps rows of the alternate buffer longer than the
// terminal is wide. With this correction, each such row sets these cells aside until something is
// written at its margin, and shows them again when the terminal is wide enough.

import { internal, once } from "./internal.mjs";
import { rowPrototype } from "./widths.mjs";

/** Makes the rows of a terminal's buffers keep their cells beyond the margin. */
export function keepBeyondMargin(core) {
  once(rowPrototype(core), forgetWhenWritten);
  once(Object.getPrototypeOf(internal(internal(core, "_bufferService"), "buffer")), resizeBuffers);
}

/**
 * Drops the cells beyond the margin of the rows that printed text has filled, from `first` to the
 * cursor's row.
 */
export function forgetPrinted(buffer, cols, first, firstX, length) {
  const { lines } = buffer;
  let at = buffer.ybase + buffer.y;
  let row = lines.get(at);
  // On the last row, below the scroll region, text wraps onto the same row.
  const isFull = buffer.x >= cols || (row === first && (buffer.x < firstX || length >= cols));
  if (isFull) row.cellsBeyondMargin = undefined;
  while (row !== first && row.isWrapped && at > 0) {
    row = lines.get(--at);
    row.cellsBeyondMargin = undefined;
  }
}

function forgetWhenWritten(Row) {
  for (const name of ["insertCells", "deleteCells", "fill", "copyFrom"]) {
    const method = internal(Row, name);
    Row[name] = function (...args) {
      if (this.cellsBeyondMargin) this.cellsBeyondMargin = undefined;
      method.apply(this, args);
    };
  }
  const replaceCells = internal(Row, "replaceCells");
  Row.replaceCells = function (start, end, fill, respectProtect) {
    if (this.cellsBeyondMargin && end >= this.length) this.cellsBeyondMargin = undefined;
    replaceCells.call(this, start, end, fill, respectProtect);
  };
  ["clone", "copyCellsFrom", "resize", "getWidth", "getFg", "getBg"].forEach((name) => internal(Row, name));
}

function resizeBuffers(Buffer) {
  const resize = internal(Buffer, "resize");
  internal(Buffer, "setWrapped");
  Buffer.resize = function (cols, rows) {
    if (cols === internal(this, "_cols") || this.lines.length === 0) return resize.call(this, cols, rows);
    const { rowsToCut, cursorRows } = makeRowsWhole(this, cols);
    resizeAround(cursorRows, this, () => resize.call(this, cols, rows));
    this.hasCellsBeyondMargin = false;
    for (const [row, whole] of rowsToCut) {
      if (setAside(row, whole, cols, this.getNullCell())) this.hasCellsBeyondMargin = true;
    }
  };
}

/**
 * Resizes a buffer without reflowing the line with the cursor, which the program redraws. During
 * the resize, its rows are separate lines that fit. xterm.js has a rule for this, but mistakes
 * other lines for the cursor's once some have become longer.
 */
function resizeAround(cursorRows, buffer, resize) {
  const { rawOptions } = internal(buffer, "_optionsService");
  const { reflowCursorLine } = rawOptions;
  rawOptions.reflowCursorLine = true;
  const wrapped = cursorRows.map((row) => internal(row, "_isWrapped"));
  cursorRows.forEach((row) => (row._isWrapped = false));
  resize();
  cursorRows.forEach((row, at) => (row._isWrapped = wrapped[at]));
  rawOptions.reflowCursorLine = reflowCursorLine;
}

/**
 * Makes all rows whole again. Returns `rowsToCut`, the rows whose cells have to be set aside after
 * the resize, each with all of its cells, and `cursorRows`, the rows of the line with the cursor.
 */
function makeRowsWhole(buffer, cols) {
  const { lines } = buffer;
  const reflows = internal(buffer, "_isReflowEnabled");
  const [first, last] = cursorLine(buffer);
  const isNarrower = cols < buffer._cols;
  const rowsToCut = [];
  const cursorRows = [];
  for (let y = 0; y < lines.length; y++) {
    const row = lines.get(y);
    const isCursors = first <= y && y <= last;
    const stays = !reflows || isCursors;
    const wasAside = row.cellsBeyondMargin !== undefined;
    if (wasAside) {
      const { from, whole } = row.cellsBeyondMargin;
      row.cellsBeyondMargin = undefined;
      row.resize(whole.length, buffer.getNullCell());
      row.copyCellsFrom(whole, from, from, whole.length - from, false);
      if (!stays) {
        // The next row never continued these cells.
        buffer.setWrapped(y, false);
        buffer.setWrapped(y + 1, false);
      }
    }
    if (row.length > cols && (isNarrower ? stays : wasAside)) rowsToCut.push([row, row.clone()]);
    if (reflows && isCursors) {
      if (isNarrower) row.resize(cols, buffer.getNullCell());
      cursorRows.push(row);
    }
  }
  return { rowsToCut, cursorRows };
}

/** Returns the first and the last row of the line with the cursor. */
function cursorLine({ lines, ybase, y }) {
  let first = ybase + y;
  let last = first;
  while (first > 0 && lines.get(first)?.isWrapped) first--;
  while (lines.get(last + 1)?.isWrapped) last++;
  return [first, last];
}

/** Cuts a row and sets the rest of its cells aside. Returns false if the rest is blank. */
function setAside(row, whole, cols, nullCell) {
  if (row.length > cols) row.resize(cols, nullCell);
  // Half of a wide character is not shown.
  const from = whole.getWidth(cols - 1) === 2 ? cols - 1 : cols;
  for (let at = from; at < whole.length; at++) {
    if (whole.hasContent(at) || whole.getWidth(at) !== 1 || whole.getFg(at) || whole.getBg(at)) {
      row.cellsBeyondMargin = { from, whole };
      return true;
    }
  }
  return false;
}
