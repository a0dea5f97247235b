// The relay that limpet's output is compared with. Its client is the bare page.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { required } from "../../browser/harness/environment.mjs";

/** A relay whose program prints a file over and over. */
export class Relay {
  #process;

  static async start(bare, file) {
    const relay = new Relay();
    const program = ["sh", "-c", 'while :; do cat "$1"; done', "sh", file];
    const stdio = ["ignore", "pipe", "inherit"];
    relay.#process = spawn(required("BENCH"), ["floor", "relay", "--", ...program], { stdio });
    const [where] = await once(createInterface({ input: relay.#process.stdout }), "line");
    relay.address = `ws://${where}`;
    relay.url = bare.url;
    return relay;
  }

  async stop() {
    const ended = once(this.#process, "exit");
    this.#process.kill();
    await ended;
  }
}
