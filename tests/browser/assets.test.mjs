// The page's files, served from memory by the release binary alone in an empty directory.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { required } from "./harness/environment.mjs";
import { Server } from "./harness.mjs";

/** Returns the response as it is on the wire, without decoding. */
function fetchRaw(url, headers = {}) {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    }).on("error", reject);
  });
}

test("the binary alone serves the whole page, compressed and cacheable", async () => {
  const folder = await mkdtemp(join(tmpdir(), "limpet-alone-"));
  const original = process.env.LIMPET_BIN;
  await copyFile(required("LIMPET_BIN"), join(folder, "limpet"));
  process.env.LIMPET_BIN = join(folder, "limpet");
  const server = await Server.start();
  try {
    const index = await fetchRaw(server.url);
    const html = index.body.toString();
    assert.equal(index.headers["cache-control"], "no-cache");
    const policy = index.headers["content-security-policy"];
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /script-src[^;]*'unsafe-(inline|eval)'/);
    for (const [, attributes, script] of html.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)) {
      if (attributes.includes("src=")) continue;
      assert.ok(policy.includes(`'sha256-${createHash("sha256").update(script).digest("base64")}'`), script);
    }

    const names = new Set([...html.matchAll(/"(?:\.\/|\/)?([\w./-]+\.(?:js|mjs|css|wasm|svg|webmanifest))"/g)].map(([, name]) => name));
    const files = [...names].map((name) => new URL(name, server.url));
    assert.ok(files.some((file) => file.pathname.endsWith(".wasm")), html);
    for (const file of files) {
      const plain = await fetchRaw(file);
      assert.equal(plain.status, 200, file.pathname);
      assert.equal(plain.headers["content-encoding"], undefined);
      assert.equal(plain.headers["x-content-type-options"], "nosniff");
      const hashed = /-[0-9a-f]{16}\.\w+$/.test(file.pathname);
      assert.equal(plain.headers["cache-control"].includes("immutable"), hashed, file.pathname);
      const again = await fetchRaw(file, { "if-none-match": plain.headers.etag });
      assert.deepEqual([again.status, again.body.length], [304, 0], file.pathname);
      if (plain.body.length < 2000) continue;
      for (const [encoding, decode] of [["br", brotliDecompressSync], ["gzip", gunzipSync]]) {
        const packed = await fetchRaw(file, { "accept-encoding": encoding });
        assert.equal(packed.headers["content-encoding"], encoding, file.pathname);
        assert.ok(decode(packed.body).equals(plain.body), file.pathname);
        assert.notEqual(packed.headers.etag, plain.headers.etag);
      }
    }
  } finally {
    process.env.LIMPET_BIN = original;
    await server.stop();
    await rm(folder, { recursive: true });
  }
});
