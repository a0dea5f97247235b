// UTF-8 as browsers decode it (https://encoding.spec.whatwg.org/#utf-8-decoder): each maximal part
// of an invalid sequence becomes U+FFFD, while xterm.js drops it. As in browsers, U+FEFF has no
// effect.

const REPLACEMENT = 0xfffd;
const BYTE_ORDER_MARK = 0xfeff;

/** Replaces xterm.js's own decoder. A character may be cut between two pieces. */
export class Utf8Decoder {
  #char = 0;
  /** Number of bytes of the character that are still to come. */
  #missing = 0;
  /** The range of the next byte. */
  #lower = 0x80;
  #upper = 0xbf;

  clear() {
    this.#missing = 0;
  }

  /** Writes code points to `codes`, at most one more than there are bytes. Returns their number. */
  decode(bytes, codes) {
    let char = this.#char;
    let missing = this.#missing;
    let lower = this.#lower;
    let upper = this.#upper;
    let size = 0;
    const { length } = bytes;
    for (let at = 0; at < length; at++) {
      let byte = bytes[at];
      if (missing === 0) {
        while (byte < 0x80) {
          codes[size++] = byte;
          if (++at === length) break;
          byte = bytes[at];
        }
        if (byte < 0x80) break;
        lower = 0x80;
        upper = 0xbf;
        if (byte < 0xc2 || byte > 0xf4) {
          codes[size++] = REPLACEMENT;
        } else if (byte < 0xe0) {
          missing = 1;
          char = byte & 0x1f;
        } else if (byte < 0xf0) {
          missing = 2;
          char = byte & 0x0f;
          // Overlong encodings and surrogates are invalid.
          if (byte === 0xe0) lower = 0xa0;
          if (byte === 0xed) upper = 0x9f;
        } else {
          missing = 3;
          char = byte & 0x07;
          // Overlong encodings and code points beyond U+10FFFF are invalid.
          if (byte === 0xf0) lower = 0x90;
          if (byte === 0xf4) upper = 0x8f;
        }
      } else if (byte < lower || byte > upper) {
        codes[size++] = REPLACEMENT;
        missing = 0;
        // This byte may begin another character.
        at--;
      } else {
        lower = 0x80;
        upper = 0xbf;
        char = (char << 6) | (byte & 0x3f);
        if (--missing === 0 && char !== BYTE_ORDER_MARK) codes[size++] = char;
      }
    }
    this.#char = char;
    this.#missing = missing;
    this.#lower = lower;
    this.#upper = upper;
    return size;
  }
}
