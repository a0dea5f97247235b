// The page as a user sees it: the text of the active terminal, and typing in it.

import { PROMPT } from "./server.mjs";
import { DEADLINE_MS, until } from "./wait.mjs";

const SHOWN_PANEL = ".panel.shown";

/** The page in one window. */
export class Terminal {
  constructor(page) {
    this.page = page;
  }

  /** Opens a link and waits for the first prompt. */
  async open(url) {
    await this.page.goto(url.href);
    await this.waitForPrompt();
  }

  /** Returns the visible rows of the active terminal, without trailing blanks. */
  async rows() {
    const rows = await this.page.locator(`${SHOWN_PANEL} .xterm-rows > div`).allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd());
  }

  /** Returns the rows as one text, without empty rows at the bottom. */
  async text() {
    return (await this.rows()).join("\n").trimEnd();
  }

  /** Waits until the text matches. */
  waitForText(pattern) {
    const wanted = (text) => (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text));
    return until(`${pattern} on the screen`, () => this.text(), wanted);
  }

  /** Waits for an empty prompt in the last row. */
  waitForPrompt() {
    return until(
      "a prompt",
      () => this.text(),
      (text) => text.split("\n").at(-1) === PROMPT.trimEnd(),
    );
  }

  /** Focuses the terminal, as a click on it does. */
  async focus() {
    await this.page.locator(`${SHOWN_PANEL} .xterm-helper-textarea`).focus();
  }

  /** Returns the name of the focused element: its label, or else its text. */
  focused() {
    return this.page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);
  }

  /** Types text; a newline is Enter. */
  async type(text) {
    await this.focus();
    await this.page.keyboard.type(text);
  }

  /** Runs a command at the prompt, waits for the next prompt, and returns the command's output. */
  async run(command) {
    await this.waitForPrompt();
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

  /** Presses keys, each given as `Control+c` or `Enter`. */
  async press(...keys) {
    await this.focus();
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Pastes text with the browser's own shortcut. */
  async paste(text) {
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await this.press("Control+Shift+v");
  }

  /** Returns the text in the clipboard. */
  clipboard() {
    return this.page.evaluate(() => navigator.clipboard.readText());
  }

  /**
   * Clicks on the first place where a text stands.
   * @param {string} text a text on the screen, in one row and one style
   * @param {object} options options of Playwright's click
   */
  async click(text, options) {
    const { x, y } = await this.place(text);
    await this.page.mouse.click(x, y, options);
  }

  /**
   * Returns the place where a text begins: the middle of its first character, in CSS pixels of the
   * window.
   */
  place(text) {
    return this.page.locator(`${SHOWN_PANEL} .xterm-rows`).evaluate((rows, text) => {
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

  /** Returns the titles of all tabs, in order. */
  async tabs() {
    return this.page.locator(".tabs .tab-title").allTextContents();
  }

  /** Returns the tab at a position. */
  tab(place) {
    return this.page.locator("[role=tab]").nth(place);
  }

  /** Waits until there are this many tabs. */
  waitForTabCount(count) {
    return until(
      `${count} tabs`,
      () => this.tabs(),
      (tabs) => tabs.length === count,
    );
  }

  /** Runs a command from the palette, found by its title. */
  async command(title) {
    await this.page.keyboard.press("Control+Shift+P");
    await this.page.getByRole("combobox").fill(title);
    await this.page.getByRole("option").first().waitFor({ timeout: DEADLINE_MS });
    await this.page.keyboard.press("Enter");
  }

  /** Returns the page's one-word description of the connection's state. */
  status() {
    return this.page.locator(".status [role=status]").textContent();
  }

  /** Waits until the banners over terminals have faded in, so that a screenshot shows them. */
  waitForBanners() {
    return this.page.evaluate(() => {
      const banners = [...document.querySelectorAll(".banner")];
      return Promise.all(banners.flatMap((banner) => banner.getAnimations()).map(({ finished }) => finished));
    }).then(() => undefined);
  }

  /** Returns the banner over the active terminal. */
  banner() {
    return this.page.locator(`${SHOWN_PANEL} .banner`);
  }
}
