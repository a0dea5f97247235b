// The real server: env LIMPET_BIN, on a port of its own, with a home folder of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Starts a server that ends with the test `t`, and shows its log if that fails. */
export async function startServer(t, ...args) {
  const home = await mkdtemp(join(tmpdir(), "limpet-"));
  await writeFile(join(home, ".bash_profile"), "PS1='$ '\n");
  const { TMUX, LIMPET_LOG, LIMPET_TOKEN, ...inherited } = process.env;
  const env = { ...inherited, HOME: home, SHELL: "/bin/bash", HISTFILE: "", LANG: "C.UTF-8", TERM: "dumb" };
  const listen = ["--listen", "127.0.0.1:0", "--format", "json", "--cwd", home];
  const child = spawn(process.env.LIMPET_BIN, [...listen, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(home, { recursive: true });
    if (!t.passed) t.diagnostic(`the log of the server:\n${log}`);
  });
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  const { url, listen: address, token } = JSON.parse(line);
  return new Server(home, url, address, token);
}

class Server {
  constructor(home, url, address, token) {
    Object.assign(this, { home, url, address, token });
  }

  /** The link, by way of another address. */
  urlAt(address) {
    return this.url.replace(this.address, address);
  }

  async api(path, options = {}) {
    const headers = { authorization: `Bearer ${this.token}` };
    const response = await fetch(`http://${this.address}/api/${path}`, { ...options, headers });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  }

  sessions() {
    return this.api("sessions");
  }
}
