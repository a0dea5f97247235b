// Real reverse proxies in front of limpet, configured as in docs/proxy.md.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { required } from "./environment.mjs";
import { until } from "./wait.mjs";

/** Host name of the site in the document, which the browser resolves to this machine. */
export const SITE = "shell.example.org";

/** Address of limpet in the document. */
const LIMPET = "127.0.0.1:7707";

/** Returns the document's first code block in this language that contains a text. */
async function documentedConfiguration(language, text) {
  const document = await readFile(new URL("../../../docs/proxy.md", import.meta.url), "utf8");
  const blocks = [...document.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  const block = blocks.find(([, name, body]) => name === language && body.includes(text));
  assert.ok(block, `docs/proxy.md has no ${language} with ${text}`);
  return block[2];
}

/** Replaces a text that the configuration must contain. */
export function replaceRequired(configuration, text, by) {
  assert.ok(configuration.includes(text), `${text} is not in:\n${configuration}`);
  return configuration.replaceAll(text, by);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A running proxy. */
class ReverseProxy {
  #process;
  #log = [];

  constructor(folder, port, link) {
    this.folder = folder;
    this.port = port;
    this.url = new URL(link);
    Object.assign(this.url, { protocol: "https:", hostname: SITE, port: String(port) });
  }

  /** Creates a directory for a proxy in front of the limpet with this link. */
  static async prepare(link) {
    const folder = await mkdtemp(join(tmpdir(), "limpet-proxy-"));
    return new ReverseProxy(folder, await freePort(), link);
  }

  /** Runs the proxy's program, and waits until it listens. */
  async run(program, words, environment = {}) {
    this.#process = spawn(program, words, {
      env: { PATH: process.env.PATH, HOME: this.folder, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => this.#log.push(text));
    }
    await until("the proxy to listen", () => {
      if (this.#process.exitCode !== null) throw new Error(`the proxy ended:\n${this.#log.join("")}`);
      return listens(this.port);
    });
    return this;
  }

  /** Ends the proxy and removes its directory. */
  async close() {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

function listens(port) {
  const socket = connect(port, "127.0.0.1");
  return new Promise((done) => {
    socket.on("connect", () => done(true)).on("error", () => done(false));
  }).finally(() => socket.destroy());
}

/** Creates a self-signed certificate. */
async function certificate(folder) {
  const [certificate, key] = ["site.crt", "site.key"].map((name) => join(folder, name));
  const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await promisify(execFile)("openssl", [...words, "-subj", `/CN=${SITE}`, "-keyout", key, "-out", certificate]);
  return { certificate, key };
}

/**
 * Starts nginx in front of a limpet.
 * @param {URL} link the link of that limpet
 * @param {(configuration: string) => string} change a change of the documented configuration
 */
export async function nginx(link, change = (configuration) => configuration) {
  const proxy = await ReverseProxy.prepare(link);
  const { certificate: file, key } = await certificate(proxy.folder);
  let configuration = change(await documentedConfiguration("nginx", "proxy_pass"));
  configuration = replaceRequired(configuration, "listen 443 ssl", `listen 127.0.0.1:${proxy.port} ssl`);
  configuration = replaceRequired(configuration, `/etc/ssl/${SITE}.crt`, file);
  configuration = replaceRequired(configuration, `/etc/ssl/${SITE}.key`, key);
  configuration = replaceRequired(configuration, LIMPET, link.host);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(proxy.folder, name)};`,
  );
  const whole = `daemon off; pid ${join(proxy.folder, "pid")}; error_log stderr;
${process.getuid() === 0 ? "user root;" : ""}
events {}
http { access_log off; ${temporary.join(" ")}
${configuration}}
`;
  const path = join(proxy.folder, "nginx.conf");
  await writeFile(path, whole);
  return proxy.run(required("NGINX"), ["-e", "stderr", "-p", proxy.folder, "-c", path]);
}

/** Starts Caddy in front of a limpet, like `nginx`. */
export async function caddy(link, change = (configuration) => configuration, text = "reverse_proxy") {
  const proxy = await ReverseProxy.prepare(link);
  let configuration = replaceRequired(change(await documentedConfiguration("caddyfile", text)), LIMPET, link.host);
  // The example for a part of a site has another host name in the document.
  configuration = configuration.replace(/^[\w.]+ \{/m, `${SITE}:${proxy.port} {\n  bind 127.0.0.1`);
  const global = `{
  admin off
  local_certs
  skip_install_trust
  auto_https disable_redirects
  storage file_system ${join(proxy.folder, "storage")}
}
`;
  const path = join(proxy.folder, "Caddyfile");
  await mkdir(join(proxy.folder, "storage"));
  await writeFile(path, global + configuration);
  return proxy.run(required("CADDY"), ["run", "--adapter", "caddyfile", "--config", path]);
}
