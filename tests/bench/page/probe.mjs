// What is planted in a page before anything of its own runs, and watches it at next to no cost.

/** Runs in the page; the shell's prompt tells when there is one. */
export function plant(prompt) {
  const bench = { bytes: 0, pictures: 0, offset: 0, frames: 0, prompt: 0, long: 0, glyph: undefined };
  window.bench = bench;

  // limpet's before there is a page around it, and with one; that of the page that is xterm.js alone.
  const SCREEN = ".skeleton .xterm-rows, .panel.shown .xterm-rows, #terminal .xterm-rows";
  const text = () => document.querySelector(SCREEN)?.textContent ?? "";
  const count = (letter) => text().split(letter).length - 1;

  // Rows change within the very frame that shows them.
  const changed = () => {
    if (bench.prompt === 0 && text().includes(prompt)) bench.prompt = performance.now();
    if (bench.glyph && count("x") > bench.glyph.before) {
      bench.glyph.shown(performance.now() - bench.glyph.pressed);
      bench.glyph = undefined;
    }
  };
  new MutationObserver(changed).observe(document, { childList: true, subtree: true, characterData: true });

  /** From the next key until an x more is on the screen, in milliseconds. */
  bench.nextGlyph = () => {
    const before = count("x");
    bench.result = new Promise((shown) => {
      const pressed = (event) => {
        bench.glyph = { before, shown, pressed: event.timeStamp };
      };
      addEventListener("keydown", pressed, { capture: true, once: true });
    });
  };

  /** Counts frames from now on. Who wants one after the other makes echoes late, so it is for floods. */
  bench.countFrames = () => {
    requestAnimationFrame(() => {
      bench.frames += 1;
      bench.countFrames();
    });
  };

  new PerformanceObserver((list) => {
    bench.long += list.getEntries().length;
  }).observe({ entryTypes: ["longtask"] });

  // Output is counted as it comes: no more of it is under way than the page lets be.
  const HEADER = 9;
  window.WebSocket = class extends WebSocket {
    constructor(...words) {
      super(...words);
      this.addEventListener("message", ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return;
        const header = new DataView(data, 0, HEADER);
        const isData = header.getUint8(0) === 0;
        if (isData) bench.bytes += data.byteLength - HEADER;
        else bench.pictures += 1;
        bench.offset = Number(header.getBigUint64(1)) + (isData ? data.byteLength - HEADER : 0);
      });
    }
  };
}

/** A window of a browser, with the probe in all of its pages. */
export async function planted(browser, prompt) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 640 }, colorScheme: "dark" });
  await context.addInitScript(plant, prompt);
  return context;
}
