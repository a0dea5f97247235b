// The real server: a limpet of its own for each test, with a home folder of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { required } from "./environment.mjs";

/** What the shell of the tests shows when it waits for a command. */
export const PROMPT = "$ ";

/** A running limpet. */
export class Server {
  #process;
  #log = "";

  /** Starts one on a free port; without a command its sessions are login shells of bash. */
  static async start(command = [], flags = []) {
    const server = new Server();
    server.home = await mkdtemp(join(tmpdir(), "limpet-"));
    await writeFile(join(server.home, ".bash_profile"), `PS1='${PROMPT}'\n`);
    const { TMUX, LIMPET_LOG, LIMPET_TOKEN, ...inherited } = process.env;
    const env = { ...inherited, HOME: server.home, SHELL: "/bin/bash", HISTFILE: "", LANG: "C.UTF-8" };
    const listen = ["--listen", "127.0.0.1:0", "--format", "json", "--cwd", server.home];
    const words = command.length > 0 ? ["--", ...command] : [];
    server.#process = spawn(required("LIMPET_BIN"), [...listen, ...flags, ...words], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    server.#process.stderr.on("data", (data) => (server.#log += data));
    const [line] = await once(createInterface(server.#process.stdout), "line");
    const { url, token } = JSON.parse(line);
    server.url = new URL(url);
    server.token = token;
    return server;
  }

  /** What it has logged so far. */
  log() {
    return this.#log;
  }

  /** Asks its HTTP API. */
  async api(path, options = {}) {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
    const response = await fetch(new URL(`api/${path}`, this.url), { ...options, headers });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  }

  /** Its sessions. */
  sessions() {
    return this.api("sessions");
  }

  /** Ends it, and all that runs in it. */
  async stop() {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await ended;
    }
    await rm(this.home, { recursive: true });
  }
}
