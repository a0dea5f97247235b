// Columns of characters. By default each character takes the columns that `wcwidth` returns for it,
// as shells, editors and multiplexers assume. In mode 2027 a grapheme cluster takes the columns of
// its widest character, as the grapheme add-on implements it.

import { internal, once, replace } from "./internal.mjs";

/** The mode (`CSI ? 2027 h`) in which grapheme clusters count. */
const CLUSTER_MODE = 2027;

/** The bit in a character's properties that says that it joins the one before. */
const JOINS = 1;

/** The two bits in a character's properties for its columns. */
const WIDTH_MASK = 6;

/** Position of the character's kind in its properties, four bits. */
const KIND_SHIFT = 3;

/**
 * Position of the number of code points in the properties of a character that joins. xterm.js uses
 * the bits below.
 */
const COUNT_SHIFT = 16;

/** The properties of printable ASCII, in one column. */
const NARROW = 1 << 1;

/** The first character that may not take exactly one column. */
const FIRST_SPECIAL = 0x300;

/** Kinds of the grapheme add-on that take no column: Extend, Hangul V and T, zero width joiner. */
const ZERO_KINDS = new Set([2, 6, 7, 10]);

/**
 * Characters whose columns by `wcwidth` (glibc 2.36, Unicode 15) do not follow from their kinds:
 * ranges and columns. The server's table (backend/screen/src/width/table.rs) is made from the same
 * list, and tests/screen checks that both agree.
 */
const EXCEPTIONS =
  "61c:0 898-89f:0 8ca-8d2:0 9be:1 9d7:1 b3e:1 b57:1 bbe:1 bd7:1 c3c:0 cc2:1 cd5-cd6:1 d3e:1 d57:1 dcf:1 ddf:1 1734:1 " +
  "180e-180f:0 1ac1-1ace:0 1b35:1 1dfa:0 200b-200f:0 202a-202e:0 2060-206f:0 302e-302f:2 3248-324f:2 4dc0-4dff:2 ff9e-ff9f:1 " +
  "fff9-fffb:0 10f82-10f85:0 11070:0 11073-11074:0 110c2:0 1133e:1 11357:1 114b0:1 114bd:1 115af:1 11930:1 13430-13438:0 " +
  "1aff0-1affe:2 1b11f-1b122:2 1bca0-1bca3:0 1cf00-1cf46:0 1d165:1 1d16e-1d172:1 1d173-1d17a:0 1e2ae:0 1f3fb-1f3ff:2 " +
  "1f6dd-1f6df:2 1f7f0:2 1f979:2 1f9cc:2 1fa7b-1faf6:2 e0001:0";

/**
 * A cache for all terminals: the columns of characters below U+20000, plus one; 0 if not looked up
 * yet.
 */
const cachedColumns = new Uint8Array(0x20000);

/** The widths of one terminal's text. */
export class Widths {
  #isClustered = false;
  #measure;
  #clusterChars;

  /** `clusterChars` is the maximum number of code points in a cell; further ones have no effect. */
  constructor(core, clusterChars) {
    this.#clusterChars = clusterChars;
    const provider = internal(internal(core, "unicodeService"), "_activeProvider");
    replace(provider, "charProperties", (measure) => {
      this.#measure = measure;
      return (char, preceding) => {
        if (this.#isClustered) return this.#byCluster(char, preceding);
        return char < FIRST_SPECIAL ? NARROW : this.#byChar(char, preceding);
      };
    });
    // All terminals have the same limit.
    once(rowPrototype(core), limitClusters, clusterChars);
    this.#trackMode(core);
  }

  /** Returns the columns of a character by `wcwidth`. */
  columns(char) {
    if (char >= cachedColumns.length) return this.#lookUp(char);
    if (cachedColumns[char] === 0) cachedColumns[char] = this.#lookUp(char) + 1;
    return cachedColumns[char] - 1;
  }

  /** Reports whether a character takes no column at present. */
  isMark(char) {
    return !this.#isClustered && char >= FIRST_SPECIAL && this.columns(char) === 0;
  }

  #lookUp(char) {
    for (const [first, last, columns] of exceptions()) {
      if (first <= char && char <= last) return columns;
    }
    const properties = this.#measure(char, 0);
    return ZERO_KINDS.has((properties >> KIND_SHIFT) & 15) ? 0 : (properties & WIDTH_MASK) >> 1;
  }

  #byChar(char, preceding) {
    const columns = this.columns(char);
    if (columns > 0) return columns << 1;
    // It joins the cell before the cursor, even after a control function.
    return this.#counted((preceding & WIDTH_MASK) | JOINS, preceding);
  }

  #byCluster(char, preceding) {
    const own = (1 << COUNT_SHIFT) - 1;
    const properties = this.#measure(char, preceding & JOINS ? preceding & own : preceding);
    return properties & JOINS ? this.#counted(properties, preceding) : properties;
  }

  /**
   * Returns the properties of a character that joins, with the number of code points so far. If
   * there are too many, returns the properties of what came before.
   */
  #counted(properties, preceding) {
    const count = preceding & JOINS ? preceding >> COUNT_SHIFT : 1;
    return count < this.#clusterChars ? properties | ((count + 1) << COUNT_SHIFT) : preceding;
  }

  /** Registers the handlers that set, reset and report the mode. */
  #trackMode(core) {
    const parser = internal(internal(core, "_inputHandler"), "_parser");
    const service = internal(core, "coreService");
    for (const [final, isSet] of [["h", true], ["l", false]]) {
      parser.registerCsiHandler({ prefix: "?", final }, ({ params, length }) => {
        if (params.subarray(0, length).includes(CLUSTER_MODE)) this.#isClustered = isSet;
        return false;
      });
    }
    parser.registerCsiHandler({ prefix: "?", intermediates: "$", final: "p" }, ({ params }) => {
      if (params[0] !== CLUSTER_MODE) return false;
      service.triggerDataEvent(`\x1b[?${CLUSTER_MODE};${this.#isClustered ? 1 : 2}$y`);
      return true;
    });
    // RIS and DECSTR.
    replace(service, "reset", (reset) => () => {
      this.#isClustered = false;
      reset();
    });
  }
}

let parsedExceptions;

function exceptions() {
  parsedExceptions ??= EXCEPTIONS.split(" ").map((range) => {
    const [chars, columns] = range.split(":");
    const [first, last = first] = chars.split("-").map((char) => Number.parseInt(char, 16));
    return [first, last, Number(columns)];
  });
  return parsedExceptions;
}

function limitClusters(Row, clusterChars) {
  const add = internal(Row, "addCodepointToCell");
  Row.addCodepointToCell = function (column, char, width) {
    const text = this.isCombined(column) ? this.getString(column) : "";
    if (text.length >= clusterChars && charCount(text) >= clusterChars) return;
    if (!this.hasContent(column)) {
      // A mark on an empty cell combines with a space.
      const cell = {};
      this.loadCell(column, cell);
      cell.content = (1 << 22) | 0x20;
      this.setCell(column, cell);
    }
    add.call(this, column, char, width);
  };
}

export function rowPrototype(core) {
  const { lines } = internal(internal(core, "_bufferService"), "buffer");
  const Row = Object.getPrototypeOf(lines.get(0));
  ["getString", "isCombined", "hasContent", "loadCell", "setCell"].forEach((name) => internal(Row, name));
  return Row;
}

export function charCount(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
