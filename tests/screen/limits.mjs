// The limits of `shared/src/limits.rs` that can be seen, in an xterm.js that knows none of them.

const MAX_CLUSTER_CHARS = 32;
const MAX_LINK_URI_BYTES = 2083;
const MAX_LINK_ID_BYTES = 250;

// The state in which xterm.js remembers the character before is a number. A count of code points is put above what is used of it.
const COUNT_SHIFT = 24;
const STATE = (1 << COUNT_SHIFT) - 1;
const JOINS = 1;

const bytes = (text) => new TextEncoder().encode(text).length;

// Ignores code points that would join a cluster which is full.
function limitClusters(terminal) {
  const provider = terminal._core.unicodeService._activeProvider;
  const properties = provider.charProperties.bind(provider);
  provider.charProperties = (code, preceding) => {
    const now = properties(code, preceding & STATE);
    if (!(now & JOINS)) return now | (1 << COUNT_SHIFT);
    const count = preceding >> COUNT_SHIFT || 1;
    return count >= MAX_CLUSTER_CHARS ? preceding : now | ((count + 1) << COUNT_SHIFT);
  };
  const line = Object.getPrototypeOf(terminal._core.buffer.lines.get(0));
  if (line.isLimited) return;
  line.isLimited = true;
  const add = line.addCodepointToCell;
  line.addCodepointToCell = function (index, code, width) {
    const text = this.getString(index);
    if (text.length < MAX_CLUSTER_CHARS || [...text].length < MAX_CLUSTER_CHARS) add.call(this, index, code, width);
  };
}

// `CSI count b` prints no more code points than the screen has cells, in insert mode than a row has.
function limitRepeats(terminal) {
  const input = terminal._core._inputHandler;
  terminal.parser.registerCsiHandler({ final: "b" }, ([count]) => {
    const state = input._parser.precedingJoinState;
    const { x, y, ybase, lines } = input._activeBuffer;
    const width = (state >> 1) & 3;
    const glyph = state ? [...lines.get(ybase + y).getString(x - width)].length : 1;
    const cells = terminal.modes.insertMode ? terminal.cols : terminal.cols * terminal.rows;
    const most = Math.max(1, Math.floor(cells / Math.max(1, glyph)));
    return input.repeatPrecedingCharacter({ params: [Math.min(count || 1, most)], length: 1 });
  });
}

// A hyperlink that is too long is none.
function limitLinks(terminal) {
  terminal.parser.registerOscHandler(8, (data) => {
    const end = data.indexOf(";");
    const id = data.slice(0, Math.max(end, 0)).trim().split(":").find((parameter) => parameter.startsWith("id="));
    const isTooLong = bytes(data.slice(end + 1)) > MAX_LINK_URI_BYTES || bytes(id?.slice(3) ?? "") > MAX_LINK_ID_BYTES;
    return end >= 0 && isTooLong ? terminal._core._inputHandler.setHyperlink(";") : false;
  });
}

export function limit(terminal) {
  limitClusters(terminal);
  limitRepeats(terminal);
  limitLinks(terminal);
}
