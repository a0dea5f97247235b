// The real binary, with its own port and home directory, ended like any other service.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { required } from "./environment.mjs";
import { DEADLINE_MS } from "./wait.mjs";

/** A shell that no configuration file affects. */
const SHELL = ["bash", "--norc", "--noprofile"];

/** The prompt of that shell. */
export const PROMPT = "ready> ";

/** A running limpet. */
export class Server {
  #process;
  #log = [];

  /**
   * Starts limpet and waits until it is ready.
   * @param {string[]} command the program of its sessions
   * @param {string[]} flags   additional arguments for limpet
   * @param {string} listen    its listening address
   */
  static async start(command = SHELL, flags = [], listen = "127.0.0.1:0") {
    const server = new Server();
    server.home = await mkdtemp(join(tmpdir(), "limpet-home-"));
    const all = ["--listen", listen, "--format", "json", "--cwd", server.home, ...flags, "--", ...command];
    const environment = {
      PATH: process.env.PATH,
      HOME: server.home,
      LANG: "C.UTF-8",
      SHELL: "/bin/bash",
      PS1: PROMPT,
      HISTFILE: "",
    };
    server.#process = spawn(required("LIMPET_BIN"), all, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    server.#process.stderr.setEncoding("utf8").on("data", (text) => server.#log.push(text));
    const ready = once(createInterface({ input: server.#process.stdout }), "line");
    const ended = once(server.#process, "exit").then(() => null);
    const line = await Promise.race([ready, ended]);
    if (line === null) throw new Error(`limpet ended before it was ready:\n${server.log()}`);
    const { url, token } = JSON.parse(line[0]);
    server.url = new URL(url);
    server.token = token;
    return server;
  }

  /** Returns the serving process: the keeper's child that is not a session's program. */
  async #serving() {
    const { pid } = this.#process;
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").filter(Boolean);
    for (const child of children) {
      if ((await readFile(`/proc/${child}/comm`, "utf8")) === "limpet\n") return Number(child);
    }
    throw new Error("the keeper has no server");
  }

  /** Kills the serving process. */
  async kill() {
    await this.signal("SIGKILL");
  }

  /** Sends a signal to the serving process. */
  async signal(signal) {
    process.kill(await this.#serving(), signal);
  }

  /** Replaces the serving process, as after the installation of a new version. */
  async upgrade() {
    await promisify(execFile)(required("LIMPET_BIN"), ["upgrade", String(this.#process.pid)]);
  }

  /** Returns the log so far. */
  log() {
    return this.#log.join("");
  }

  /** Writes a file to the directory that sessions start in. */
  async file(name, content) {
    await writeFile(join(this.home, name), content);
  }

  /** Reads a file from that directory. */
  read(name) {
    return readFile(join(this.home, name), "utf8");
  }

  /** Reports whether a file is in that directory. */
  exists(name) {
    return access(join(this.home, name)).then(
      () => true,
      () => false,
    );
  }

  /** Sends an API request as another client would, and returns the parsed answer. */
  async api(method, path, body) {
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }

  /** Returns the sessions, the oldest first. */
  async sessions() {
    const sessions = await this.api("GET", "api/sessions");
    return sessions.sort((one, other) => one.created - other.created);
  }

  /** Returns the names of the programs that run in the newest session. */
  async running() {
    const newest = (await this.sessions()).at(-1);
    return (await this.api("GET", `api/sessions/${newest.id}`)).running;
  }

  /** Ends limpet, and throws unless it ends successfully. */
  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      const deadline = setTimeout(() => this.#process.kill("SIGKILL"), DEADLINE_MS);
      await ended;
      clearTimeout(deadline);
    }
    await rm(this.home, { recursive: true, force: true });
    const end = this.#process.exitCode ?? this.#process.signalCode;
    if (end !== 0) throw new Error(`limpet ended with ${end}:\n${this.log()}`);
  }
}
