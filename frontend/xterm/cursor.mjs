// The saved cursor (DECSC, DECRC).

import { internal, replace } from "./internal.mjs";

/** Corrects the style in the saved cursor. */
export function correctSavedCursor(core) {
  const input = internal(core, "_inputHandler");
  const style = () => internal(input, "_curAttrData");
  const saved = () => internal(internal(input, "_activeBuffer"), "savedCurAttrData");

  // The kind and the colour of underlines are saved with the rest of the style. A hyperlink is not
  // part of the style, so it stays active.
  replace(input, "saveCursor", (save) => (params) => {
    save(params);
    saved().extended = unlinked(style().extended);
    saved().updateExtended();
    return true;
  });
  replace(input, "restoreCursor", (restore) => (params) => {
    const { urlId } = style().extended;
    restore(params);
    style().extended = unlinked(saved().extended);
    style().extended.urlId = urlId;
    style().updateExtended();
    return true;
  });
  replace(input, "softReset", (reset) => (params) => {
    reset(params);
    saved().extended = unlinked(style().extended);
    return true;
  });
}

function unlinked(extended) {
  const copy = extended.clone();
  copy.urlId = 0;
  return copy;
}
