// The real Chromium, and a watch over what its pages do that they must not.

import { chromium } from "playwright-core";

import { required } from "./environment.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The name of the site in docs/proxy.md.
  "--host-resolver-rules=MAP shell.example.org 127.0.0.1",
];

/** With WebGL, drawn in software. */
export const WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/** Without WebGL: terminals are then drawn as text in the document, where a test can read it. */
export const NO_WEBGL = ["--disable-gpu", "--disable-3d-apis"];

/** Starts the browser with a fresh profile. */
export function launch(args) {
  return chromium.launch({ executablePath: required("CHROMIUM"), args: [...FLAGS, ...args] });
}

/** Starts the browser with the profile in a folder. */
export function launchWith(profile) {
  return chromium.launchPersistentContext(profile, { executablePath: required("CHROMIUM"), args: [...FLAGS, ...NO_WEBGL] });
}

/** How xterm.js complains about a machine that is busy, as machines that run tests are. */
const BUSY = /task queue exceeded allotted deadline/;

/** Notes everything that the pages of a browser context must not do. */
export class Watch {
  #faults = [];
  #tolerated = [BUSY];
  #host;

  /** Watches all pages of a context, which belong to the server at `url`. */
  constructor(context, url) {
    this.#host = url.host;
    context.on("weberror", (error) => this.#note(`exception: ${error.error().stack ?? error.error()}`));
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        this.#note(`console ${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    context.on("request", (request) => this.#visit(request.url()));
    context.on("page", (page) => page.on("websocket", (socket) => this.#visit(socket.url())));
  }

  /** Reports violations of the Content-Security-Policy, whatever the console says about them. */
  async install(context) {
    await context.exposeBinding("limpetTestViolation", (_, text) => this.#note(`CSP violation: ${text}`));
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        window.limpetTestViolation(`${event.violatedDirective} by ${event.blockedURI}`);
      });
    });
  }

  /** Lets pass what a test itself brings about, such as requests that fail while the network is cut. */
  tolerate(pattern) {
    this.#tolerated.push(pattern);
  }

  /** What has been noted and is not tolerated. */
  faults() {
    return this.#faults.filter((fault) => !this.#tolerated.some((pattern) => pattern.test(fault)));
  }

  #visit(address) {
    const url = new URL(address);
    const inside = ["data:", "blob:"].includes(url.protocol) || url.host === this.#host;
    if (!inside) this.#note(`request to another host: ${address}`);
  }

  #note(fault) {
    this.#faults.push(fault);
  }
}
