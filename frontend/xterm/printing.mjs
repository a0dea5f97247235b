// Corrections of printing, inserting and erasing. The server's own terminal behaves in the same
// way.

import { internal, once, replace } from "./internal.mjs";
import { forgetPrinted } from "./margins.mjs";
import { rowPrototype } from "./widths.mjs";

const JOINS = 1;
const WIDTH_MASK = 6;
const SOFT_HYPHEN = 0xad;

/** Installs the corrections in a terminal that counts columns by `widths`. */
export function correctPrinting(core, widths) {
  const input = internal(core, "_inputHandler");
  const parser = internal(input, "_parser");
  const service = internal(core, "_bufferService");
  internal(parser, "precedingJoinState");

  replace(input, "print", (print) => (data, start, end) => {
    const buffer = internal(input, "_activeBuffer");
    if (buffer.x === 0 && parser.precedingJoinState === 0) {
      // A mark at the start of a row has nothing to join.
      while (start < end && (data[start] === SOFT_HYPHEN || widths.isMark(data[start]))) start++;
      if (start === end) return;
    }
    const first = buffer.hasCellsBeyondMargin ? buffer.lines.get(buffer.ybase + buffer.y) : undefined;
    const { x } = buffer;
    if (core.coreService.decPrivateModes.wraparound) print(data, start, end);
    else printWithoutWrap(buffer, data, start, end, print);
    // A mark that joined an unknown character cannot be repeated.
    if ((parser.precedingJoinState & WIDTH_MASK) === 0) parser.precedingJoinState = 0;
    if (first) forgetPrinted(buffer, service.cols, first, x, end - start);
  });

  // A character that does not fit takes the last columns.
  function printWithoutWrap(buffer, data, start, end, print) {
    for (let at = start; at < end; at++) {
      if (data[at] === SOFT_HYPHEN) continue;
      const before = parser.precedingJoinState;
      const properties = core.unicodeService.charProperties(data[at], before);
      const width = (properties & WIDTH_MASK) >> 1;
      if (properties & JOINS) {
        // A character at the margin cannot become wider.
        if (buffer.x + width - ((before & WIDTH_MASK) >> 1) > service.cols) continue;
      } else if (buffer.x + width > service.cols) {
        buffer.x = service.cols - width;
      }
      print(data, at, at + 1);
    }
  }

  // After a resize, the character before the cursor may not be the one that was printed last.
  service.onResize(() => {
    parser.precedingJoinState = 0;
  });

  // ED 1 (`CSI 1 J`) at the margin unwraps the row below. xterm.js counts that row from the start
  // of the scrollback.
  replace(input, "eraseInDisplay", (erase) => (params, respectProtect) => {
    if (params.params[0] !== 1) return erase(params, respectProtect);
    internal(input, "_restrictCursor").call(input, service.cols);
    const buffer = input._activeBuffer;
    const other = buffer.y + 1 < buffer.ybase ? buffer.lines.get(buffer.y + 1) : undefined;
    const wasWrapped = other?.isWrapped;
    erase(params, respectProtect);
    if (other) buffer.setWrapped(buffer.y + 1, wasWrapped);
    if (buffer.x + 1 >= service.cols) buffer.setWrapped(buffer.ybase + buffer.y + 1, false);
    return true;
  });

  once(rowPrototype(core), insertWhole);
}

/** Inserting cells in the middle of a wide character erases both halves of it. */
function insertWhole(Row) {
  const insertCells = internal(Row, "insertCells");
  internal(Row, "setCellFromCodepoint");
  Row.insertCells = function (at, count, fill) {
    at %= this.length;
    const cutsHalf = at > 0 && this.getWidth(at - 1) === 2;
    insertCells.call(this, at, count, fill);
    if (cutsHalf && at + count < this.length) this.setCellFromCodepoint(at + count, 0, 1, fill);
  };
}
