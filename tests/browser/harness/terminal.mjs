// The page as somebody uses it: what the active terminal shows, and what is typed.

import { PROMPT } from "./server.mjs";
import { DEADLINE_MS, until } from "./wait.mjs";

const SHOWN = ".panel.shown";

/** The page in one window. */
export class Terminal {
  constructor(page) {
    this.page = page;
  }

  /** Opens a link and waits for the first prompt. */
  async open(url) {
    await this.page.goto(url.href);
    await this.prompt();
  }

  /** The visible rows of the active terminal, without the blanks at their ends. */
  async rows() {
    const rows = await this.page.locator(`${SHOWN} .xterm-rows > div`).allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd());
  }

  /** The same as one text, without the empty rows at the bottom. */
  async text() {
    return (await this.rows()).join("\n").trimEnd();
  }

  /** Waits until the text matches. */
  shows(pattern) {
    const wanted = (text) => (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text));
    return until(`${pattern} on the screen`, () => this.text(), wanted);
  }

  /** Waits for a prompt with nothing typed at it, in the last row. */
  prompt() {
    return until(
      "a prompt",
      () => this.text(),
      (text) => text.split("\n").at(-1) === PROMPT.trimEnd(),
    );
  }

  /** Gives the terminal the keyboard, as a click on it does. */
  async focus() {
    await this.page.locator(`${SHOWN} .xterm-helper-textarea`).focus();
  }

  /** The name of what has the keyboard: its label, or else its words. */
  focused() {
    return this.page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);
  }

  /** Types text; a newline is Enter. */
  async type(text) {
    await this.focus();
    await this.page.keyboard.type(text);
  }

  /** Runs a command at the prompt and waits for the next prompt; gives what it printed. */
  async run(command) {
    await this.prompt();
    await this.press("Control+l");
    await until(
      "a clear screen",
      () => this.text(),
      (text) => text === PROMPT.trimEnd(),
    );
    await this.type(`${command}\n`);
    const done = (text) => text.includes("\n") && text.split("\n").at(-1) === PROMPT.trimEnd();
    const text = await until(`the end of ${command}`, () => this.text(), done);
    return text.split("\n").slice(1, -1).join("\n");
  }

  /** Presses keys, each as `Control+c` or `Enter`. */
  async press(...keys) {
    await this.focus();
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Pastes text by the browser's own command for it. */
  async paste(text) {
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await this.press("Control+Shift+v");
  }

  /** What is in the clipboard. */
  clipboard() {
    return this.page.evaluate(() => navigator.clipboard.readText());
  }

  /**
   * Presses the mouse on the first place where some text stands.
   * @param {string} text on the screen, in one row and one style
   * @param {object} options of Playwright's click
   */
  async click(text, options) {
    const { x, y } = await this.place(text);
    await this.page.mouse.click(x, y, options);
  }

  /** Where some text begins: the middle of its first character, in CSS pixels of the window. */
  place(text) {
    return this.page.locator(`${SHOWN} .xterm-rows`).evaluate((rows, text) => {
      const walker = document.createTreeWalker(rows, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const at = walker.currentNode.data.indexOf(text);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + 1);
        const box = range.getBoundingClientRect();
        return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      }
      throw new Error(`${text} is not on the screen:\n${rows.innerText}`);
    }, text);
  }

  /** The titles of all tabs, in order. */
  async tabs() {
    return this.page.locator(".tabs .tab-title").allTextContents();
  }

  /** A tab by its place. */
  tab(place) {
    return this.page.locator("[role=tab]").nth(place);
  }

  /** Waits for a number of tabs. */
  tabCount(count) {
    return until(
      `${count} tabs`,
      () => this.tabs(),
      (tabs) => tabs.length === count,
    );
  }

  /** Chooses a command in the palette, by what it is called. */
  async command(title) {
    await this.page.keyboard.press("Control+Shift+P");
    await this.page.getByRole("combobox").fill(title);
    await this.page.getByRole("option").first().waitFor({ timeout: DEADLINE_MS });
    await this.page.keyboard.press("Enter");
  }

  /** How the page says its connection fares, in a word. */
  status() {
    return this.page.locator(".status [role=status]").textContent();
  }

  /** Waits until what is said over terminals has faded in, so that a picture shows it. */
  appeared() {
    return this.page.evaluate(() => {
      const banners = [...document.querySelectorAll(".banner")];
      return Promise.all(banners.flatMap((banner) => banner.getAnimations()).map(({ finished }) => finished));
    }).then(() => undefined);
  }

  /** What a banner over the active terminal says. */
  banner() {
    return this.page.locator(`${SHOWN} .banner`);
  }
}
