// A tab that Playwright does not know. For tabs it knows, Playwright has the browser report every
// request and every WebSocket frame in full. That takes longer than rendering a flood, and no
// user's browser does it.

/** Size of a tab, in CSS pixels. */
const TAB_SIZE = { width: 1000, height: 640 };

/** Key events by name, as the page gets them. */
const KEYS = {
  Enter: { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
  x: { key: "x", code: "KeyX", windowsVirtualKeyCode: 88, text: "x" },
};

/** A tab in its own window, with its own cookies and cache. */
export class Tab {
  #browser;
  #ids;
  #lastId = 0;
  #waiting = new Map();

  /**
   * Opens a tab, and installs a function in each of its pages that runs before the page's own
   * scripts.
   */
  static async open(browser, installProbe, argument) {
    const tab = new Tab();
    tab.#browser = await browser.newBrowserCDPSession();
    const ask = (method, params) => tab.#browser.send(method, params);
    const { browserContextId } = await ask("Target.createBrowserContext");
    const { targetId } = await ask("Target.createTarget", { url: "about:blank", browserContextId, ...TAB_SIZE });
    // Commands are wrapped in messages, since Playwright keeps flat sessions for itself.
    const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: false });
    tab.#ids = { browserContextId, sessionId };
    tab.#browser.on("Target.receivedMessageFromTarget", (received) => tab.#receive(received));
    await tab.#send("Emulation.setDeviceMetricsOverride", { ...TAB_SIZE, deviceScaleFactor: 1, mobile: false });
    const dark = { features: [{ name: "prefers-color-scheme", value: "dark" }] };
    await tab.#send("Emulation.setEmulatedMedia", dark);
    await tab.#send("Emulation.setFocusEmulationEnabled", { enabled: true });
    await tab.#send("Page.enable");
    const source = `(${installProbe})(${JSON.stringify(argument)})`;
    await tab.#send("Page.addScriptToEvaluateOnNewDocument", { source });
    return tab;
  }

  async close() {
    const { browserContextId } = this.#ids;
    await this.#browser.send("Target.disposeBrowserContext", { browserContextId });
    await this.#browser.detach();
  }

  /** Navigates to an address without waiting for the page to load. */
  async goto(url) {
    const { errorText } = await this.#send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
  }

  /** Calls a function in the page and returns its result, awaited if it is a promise. */
  async evaluate(body, argument) {
    const expression = `(${body})(${JSON.stringify(argument)})`;
    const how = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", how);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Focuses the terminal. */
  focus() {
    return this.evaluate(() => document.querySelector(".xterm-helper-textarea").focus());
  }

  /** Presses one of the keys in `KEYS`. */
  async press(name) {
    const key = KEYS[name];
    await this.#send("Input.dispatchKeyEvent", { type: "keyDown", ...key });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", ...key });
  }

  /** Inserts text at the focus. */
  insert(text) {
    return this.#send("Input.insertText", { text });
  }

  #send(method, params = {}) {
    const id = (this.#lastId += 1);
    const { sessionId } = this.#ids;
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed: (why) => failed(new Error(`${method}: ${why}`)) });
      const message = JSON.stringify({ id, method, params });
      this.#browser.send("Target.sendMessageToTarget", { sessionId, message }).catch(failed);
    });
  }

  #receive({ sessionId, message }) {
    const { id, result, error } = JSON.parse(message);
    const asked = this.#waiting.get(id);
    if (sessionId !== this.#ids.sessionId || asked === undefined) return;
    this.#waiting.delete(id);
    if (error) asked.failed(error.message);
    else asked.done(result);
  }
}
