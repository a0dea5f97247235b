// A page with nothing but xterm.js: a prompt from memory, keys that it echoes itself, a flood from
// memory.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { once } from "node:events";

import { PROMPT } from "../../browser/harness/server.mjs";

const PACKAGES = new URL("../../../frontend/node_modules/@xterm/", import.meta.url);

const FILES = {
  "/xterm.mjs": ["xterm/lib/xterm.mjs", "text/javascript"],
  "/xterm.css": ["xterm/css/xterm.css", "text/css"],
  "/addon-fit.mjs": ["addon-fit/lib/addon-fit.mjs", "text/javascript"],
  "/addon-webgl.mjs": ["addon-webgl/lib/addon-webgl.mjs", "text/javascript"],
};

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>xterm.js</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="xterm.css">
<style>html, body, #terminal { height: 100%; margin: 0 }</style>
<div id="terminal"></div>
<script type="module">
  import { Terminal } from "./xterm.mjs";
  import { FitAddon } from "./addon-fit.mjs";
  const terminal = new Terminal({ allowProposedApi: true, scrollback: 10000 });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(document.getElementById("terminal"));
  fit.fit();
  if (location.search === "?WebGL") {
    const { WebglAddon } = await import("./addon-webgl.mjs");
    terminal.loadAddon(new WebglAddon());
  }
  terminal.write(${JSON.stringify(PROMPT)});
  terminal.onData((data) => terminal.write(data));
  terminal.focus();

  /** In flight at once: as many frames, of the same size, as limpet allows. */
  const FRAME_BYTES = 64 * 1024;
  const MAX_FRAMES_IN_FLIGHT = 4;

  /** Writes a frame, and calls `parsed` once it is parsed. */
  const write = (frame, parsed) =>
    terminal.write(frame, () => {
      window.bench.bytes += frame.length;
      window.bench.offset = window.bench.bytes;
      parsed();
    });

  /** Writes a file from memory, over and over. */
  window.flood = async (name) => {
    const text = new Uint8Array(await (await fetch(name)).arrayBuffer());
    let at = 0;
    const next = () => {
      const frame = text.subarray(at, at + FRAME_BYTES);
      at = at + FRAME_BYTES < text.length ? at + FRAME_BYTES : 0;
      write(frame, next);
    };
    for (let frame = 0; frame < MAX_FRAMES_IN_FLIGHT; frame += 1) next();
  };

  /** Writes the output of a relay, reading no further while all frames are in flight. */
  window.receive = async (address) => {
    const { readable } = await new WebSocketStream(address).opened;
    const reader = readable.getReader();
    const next = async () => {
      const { value, done } = await reader.read();
      if (!done) write(new Uint8Array(value), next);
    };
    for (let frame = 0; frame < MAX_FRAMES_IN_FLIGHT; frame += 1) next();
  };
</script>
`;

/**
 * Headers as limpet sends them to isolate its page. The browser starts a new process for such a
 * page, which takes time.
 */
const ISOLATION_HEADERS = { "cross-origin-opener-policy": "same-origin" };

/** The server of the bare page. */
export class Bare {
  #server;

  /** @param {Record<string, string>} texts the files for floods, by name */
  static async start(texts) {
    const bare = new Bare();
    bare.#server = createServer(async (request, response) => {
      const path = new URL(request.url, "http://127.0.0.1").pathname;
      const [content, type] = await answer(path, texts);
      const status = content === undefined ? 404 : 200;
      const headers = { "content-type": type ?? "text/plain", "cache-control": "max-age=3600" };
      response.writeHead(status, { ...headers, ...ISOLATION_HEADERS });
      response.end(content);
    });
    bare.#server.listen(0, "127.0.0.1");
    await once(bare.#server, "listening");
    bare.url = new URL(`http://127.0.0.1:${bare.#server.address().port}/`);
    return bare;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function answer(path, texts) {
  if (path === "/") return [PAGE, "text/html"];
  const text = texts[path.slice(1)];
  // A pty ends each line of its output with two bytes.
  if (text) return [(await readFile(text, "latin1")).replaceAll("\n", "\r\n"), "text/plain"].map(latin1);
  const [file, type] = FILES[path] ?? [];
  return file ? [await readFile(new URL(file, PACKAGES)), type] : [];
}

function latin1(content, at) {
  return at === 0 ? Buffer.from(content, "latin1") : content;
}
