// The saved cursor (DECSC, DECRC).

import { internal, replace } from "./internal.mjs";

/** Corrects the style in the saved cursor. */
export function correctSavedCursor(core) {
  const input = internal(core, "_inputHandler");
  const pen = () => internal(input, "_curAttrData");
  const saved = () => internal(internal(input, "_activeBuffer"), "savedCurAttrData");

  // The kind and the colour of underlines are saved with the rest of the style. A hyperlink is not
  // part of the style, so it stays active.
  replace(input, "saveCursor", (save) => (params) => {
    save(params);
    saved().extended = unlinked(pen().extended);
    saved().updateExtended();
    return true;
  });
  replace(input, "restoreCursor", (restore) => (params) => {
    const { urlId } = pen().extended;
    restore(params);
    pen().extended = unlinked(saved().extended);
    pen().extended.urlId = urlId;
    pen().updateExtended();
    return true;
  });
  replace(input, "softReset", (reset) => (params) => {
    reset(params);
    saved().extended = unlinked(pen().extended);
    return true;
  });
}

function unlinked(extended) {
  const copy = extended.clone();
  copy.urlId = 0;
  return copy;
}
