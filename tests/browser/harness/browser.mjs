// The real Chromium, and a watch over what its pages do.

import { chromium } from "playwright-core";

import { required } from "./environment.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** WebGL in software. */
export const WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/** Without WebGL terminals are drawn as elements, whose text can be read. */
export const NO_WEBGL = ["--disable-3d-apis"];

/** What a browser says of connections that break. */
const BROKEN_CONNECTION = /net::ERR_|WebSocket connection to/;

/** Starts a browser with a fresh profile. */
export function launch(graphics) {
  return chromium.launch({ executablePath: required("CHROMIUM"), args: [...FLAGS, ...graphics] });
}

/** Notes what the pages of a context must not do: complain, break the content security policy, ask other hosts. */
export class Watch {
  #faults = [];
  #host;

  /** Set by a test that breaks connections. */
  connectionsMayBreak = false;

  constructor(context, url) {
    this.#host = url.host;
    context.on("console", (message) => {
      if (message.type() === "error") this.#note(message.text());
    });
    context.on("weberror", (error) => this.#note(String(error.error())));
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)/.test(url.protocol) && url.host !== this.#host) this.#note(`asked ${url.host}`);
    });
  }

  async install(context) {
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
  }

  /** What went wrong so far. */
  faults() {
    return this.#faults.filter((fault) => !(this.connectionsMayBreak && BROKEN_CONNECTION.test(fault)));
  }

  #note(fault) {
    this.#faults.push(fault);
  }
}
