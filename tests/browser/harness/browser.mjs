// The real Chromium, and a watch for things that its pages must not do.

import { chromium } from "playwright-core";

import { required } from "./environment.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The host name of the site in docs/proxy.md.
  "--host-resolver-rules=MAP shell.example.org 127.0.0.1",
];

/** Browser flags with WebGL, rendered in software. */
export const WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/** Browser flags without WebGL. Terminals are then text in the document, which a test can read. */
export const NO_WEBGL = ["--disable-gpu", "--disable-3d-apis"];

/** Starts the browser with a fresh profile. */
export function launch(args) {
  return chromium.launch({ executablePath: required("CHROMIUM"), args: [...FLAGS, ...args] });
}

/** Starts the browser with the profile in a directory. */
export function launchWith(profile) {
  return chromium.launchPersistentContext(profile, { executablePath: required("CHROMIUM"), args: [...FLAGS, ...NO_WEBGL] });
}

/** A warning of xterm.js on a busy machine, as machines that run tests are. */
const BUSY_WARNING = /task queue exceeded allotted deadline/;

/** A record of everything forbidden that the pages of a browser context do. */
export class Watch {
  #faults = [];
  #tolerated = [BUSY_WARNING];
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

  /**
   * Tolerates faults that a test causes itself, such as requests that fail while the network is
   * cut.
   */
  tolerate(pattern) {
    this.#tolerated.push(pattern);
  }

  /** Returns the recorded faults that are not tolerated. */
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
