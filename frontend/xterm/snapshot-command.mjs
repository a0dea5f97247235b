// `OSC 7748`, limpet's own command. Snapshots use it to restore state that no standard sequence can
// express. The server's own terminal implements it too
// (backend/screen/src/control/snapshot_command.rs); other terminals ignore it.

import { internal, replace } from "./internal.mjs";

const SNAPSHOT_COMMAND = 7748;

/**
 * Maximum number of cells that may be put beyond the margin until the terminal is reset, as a
 * multiple of the screen's cells.
 */
const MAX_PLACED_SCREENS = 4;

/** Maximum number of columns of a row, including those beyond the margin. */
const MAX_COLUMNS = 4096;

/**
 * Makes a terminal execute the command.
 *
 * * `wrap` moves the cursor from the last column behind the margin, so that the next character
 *   wraps.
 * * `hold ; source ; column ; count` cuts cells out of the cursor's row and holds them for a column
 *   beyond the margin.
 * * `beyond ; up` attaches the held cells to the row that is `up` rows above the cursor.
 * * `above ; rows` moves the saved cursor up, out of the screen.
 */
export function installSnapshotCommand(terminal, core) {
  const input = internal(core, "_inputHandler");
  const service = internal(core, "_bufferService");
  let held;
  let placedCells = 0;

  const commands = {
    wrap(buffer) {
      if (buffer.x === service.cols - 1) buffer.x = service.cols;
    },
    hold(buffer, source, column, count) {
      const { cols, rows } = service;
      if (!(count > 0 && source + count <= cols && column >= cols - 1 && column + count <= MAX_COLUMNS)) return;
      const row = buffer.lines.get(buffer.ybase + buffer.y);
      const cells = row.clone();
      row.replaceCells(source, source + count, buffer.getNullCell());
      if (placedCells + count > MAX_PLACED_SCREENS * (cols + 1) * rows || (held && held.whole.length !== column)) return;
      placedCells += count;
      held ??= { from: column, whole: row.clone() };
      held.whole.resize(column + count, buffer.getNullCell());
      held.whole.copyCellsFrom(cells, source, column, count, false);
    },
    beyond(buffer, up) {
      const row = up <= buffer.y ? buffer.lines.get(buffer.ybase + buffer.y - up) : undefined;
      if (row && held) {
        row.cellsBeyondMargin = held;
        buffer.hasCellsBeyondMargin = true;
      }
      held = undefined;
    },
    above(buffer, rows) {
      buffer.savedY = Math.max(0, buffer.savedY - rows);
    },
  };
  terminal.parser.registerOscHandler(SNAPSHOT_COMMAND, (data) => {
    const [name, ...numbers] = data.split(";");
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    const isComplete = command?.length === 1 + numbers.length && numbers.every((number) => /^\d{1,7}$/.test(number));
    if (isComplete) command(internal(input, "_activeBuffer"), ...numbers.map(Number));
    return true;
  });
  // RIS.
  replace(service, "reset", (reset) => () => {
    held = undefined;
    placedCells = 0;
    reset();
  });
}
