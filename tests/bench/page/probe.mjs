// A probe that is installed in a page before any of its own scripts run, and measures it at almost
// no cost.

/** Installs the probe; runs in the page. The shell's prompt marks the end of loading. */
export function installProbe(prompt) {
  const bench = { bytes: 0, snapshots: 0, offset: 0, frames: 0, prompt: 0, long: 0, glyph: undefined };
  window.bench = bench;

  // The screens of limpet's page before and after it is complete, and of the bare page.
  const SCREEN = ".skeleton .xterm-rows, .panel.shown .xterm-rows, #terminal .xterm-rows";
  const text = () => document.querySelector(SCREEN)?.textContent ?? "";
  const count = (letter) => text().split(letter).length - 1;

  // The rows change in the very frame that shows them.
  const changed = () => {
    if (bench.prompt === 0 && text().includes(prompt)) bench.prompt = performance.now();
    if (bench.glyph && count("x") > bench.glyph.before) {
      bench.glyph.shown(performance.now() - bench.glyph.pressed);
      bench.glyph = undefined;
    }
  };
  new MutationObserver(changed).observe(document, { childList: true, subtree: true, characterData: true });

  /** Measures the time from the next key until one more `x` is on the screen, in milliseconds. */
  bench.nextGlyph = () => {
    const before = count("x");
    bench.result = new Promise((shown) => {
      const pressed = (event) => {
        bench.glyph = { before, shown, pressed: event.timeStamp };
      };
      addEventListener("keydown", pressed, { capture: true, once: true });
    });
  };

  /**
   * Counts frames from now on. Requesting every frame delays echoes, so this is only for floods.
   */
  bench.countFrames = () => {
    requestAnimationFrame(() => {
      bench.frames += 1;
      bench.countFrames();
    });
  };

  new PerformanceObserver((list) => {
    bench.long += list.getEntries().length;
  }).observe({ entryTypes: ["longtask"] });

  // Output is counted when it arrives, since the page limits how much may be in flight.
  const HEADER_BYTES = 9;
  window.WebSocket = class extends WebSocket {
    constructor(...words) {
      super(...words);
      this.addEventListener("message", ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return;
        const header = new DataView(data, 0, HEADER_BYTES);
        const isData = header.getUint8(0) === 0;
        if (isData) bench.bytes += data.byteLength - HEADER_BYTES;
        else bench.snapshots += 1;
        bench.offset = Number(header.getBigUint64(1)) + (isData ? data.byteLength - HEADER_BYTES : 0);
      });
    }
  };
}

/** Creates a browser context with the probe in all of its pages. */
export async function contextWithProbe(browser, prompt) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 640 }, colorScheme: "dark" });
  await context.addInitScript(installProbe, prompt);
  return context;
}
