// limpet's page, in the words of somebody who uses it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { until } from "./until.mjs";

const ARTIFACTS = process.env.ARTIFACTS ?? "artifacts";

/** What a browser says about a connection that breaks. */
const BROKEN_CONNECTION = /net::ERR_|WebSocket connection to/;

export class LimpetPage {
  #complaints = [];
  #strangers = [];

  constructor(t, raw, origin) {
    this.t = t;
    this.raw = raw;
    raw.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#complaints.push(message.text());
    });
    raw.on("pageerror", (error) => this.#complaints.push(String(error)));
    raw.on("request", (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)/.test(url.protocol) && url.host !== new URL(origin).host) this.#strangers.push(request.url());
    });
  }

  get keyboard() {
    return this.raw.keyboard;
  }

  /** Nothing went wrong in the page, and it asked nobody else. A content security violation is a console error. */
  async check(offline) {
    await this.shot("end");
    const complaints = this.#complaints.filter((text) => !(offline && BROKEN_CONNECTION.test(text)));
    assert.deepEqual(complaints, [], "the page complained");
    assert.deepEqual(this.#strangers, [], "the page asked other hosts");
  }

  /** Keeps a picture. */
  async shot(name) {
    if (this.raw.isClosed()) return;
    mkdirSync(ARTIFACTS, { recursive: true });
    const file = `${this.t.fullName ?? this.t.name}-${name}`.replaceAll(/[^A-Za-z0-9]+/g, "-");
    await this.raw.screenshot({ path: join(ARTIFACTS, `${file}.png`) });
  }

  /** The lines that the active terminal shows, without blanks at their ends. */
  async lines() {
    const rows = await this.raw.locator(".panel.shown .xterm-rows > div").allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd());
  }

  async text() {
    return (await this.lines()).join("\n").trimEnd();
  }

  /** Waits until the active terminal shows what the pattern describes, and gives the match. */
  shows(pattern) {
    const wanted = typeof pattern === "string" ? new RegExp(RegExp.escape?.(pattern) ?? pattern.replaceAll(/[^\w\s]/g, "\\$&")) : pattern;
    return until(`${wanted} in the terminal`, async () => wanted.exec(await this.text()), () => this.text());
  }

  /** Waits for a shell that waits for a command. */
  async prompt() {
    await this.shows(/\$$/);
    await until("the terminal to have the keyboard", () =>
      this.raw.evaluate(() => document.activeElement?.matches(".panel.shown .xterm-helper-textarea")),
    );
  }

  type(text) {
    return this.keyboard.type(text);
  }

  press(...keys) {
    return keys.reduce((before, key) => before.then(() => this.keyboard.press(key)), Promise.resolve());
  }

  /** Types a command at the prompt. */
  async run(command) {
    await this.prompt();
    await this.type(`${command}\n`);
  }

  /** Does what the palette calls so. */
  async command(title) {
    await this.press("Control+Shift+P");
    await this.raw.getByPlaceholder("What do you want to do?").fill(title);
    await this.raw.getByRole("option", { name: title }).first().click();
  }

  /** The middle of a cell of the active terminal, counted from 0. */
  async cell(column, row) {
    const rows = this.raw.locator(".panel.shown .xterm-rows > div");
    const [{ cols }] = await this.raw.evaluate(async () => (await fetch("api/sessions")).json());
    const box = await this.raw.locator(".panel.shown .xterm-screen").boundingBox();
    const [width, height] = [box.width / cols, box.height / (await rows.count())];
    return [box.x + (column + 0.5) * width, box.y + (row + 0.5) * height];
  }

  get tabs() {
    return this.raw.getByRole("tab");
  }

  /** The titles of the tabs, from left to right. */
  titles() {
    return this.raw.locator(".tab .tab-title").allTextContents();
  }

  async hasTabs(count) {
    await until(`${count} tabs`, async () => (await this.tabs.count()) === count, () => this.titles());
  }

  get banner() {
    return this.raw.locator(".panel.shown .banner");
  }

  async says(words) {
    await until(`the banner ${words}`, async () => (await this.banner.allTextContents()).join().includes(words), () => this.text());
  }
}
