// limpet behind real reverse proxies, configured as in docs/proxy.md or wrongly.

import { Server, assert, pageTest } from "./harness.mjs";
import { SITE, caddy, nginx, replaceRequired } from "./harness/reverse-proxy.mjs";

const FLAGS = ["--allow-host", SITE];

/** Window options that accept the self-signed certificates. */
const WINDOW = { ignoreHTTPSErrors: true };

/** The browser's own messages when something is refused. */
const REFUSAL_ERRORS = /status of 40[0134]|WebSocket connection to|Failed to load|net::ERR/;

/** Defines a test that ends when the page shows a text. */
function explanationTest(name, proxy, text, options = {}) {
  pageTest(name, { flags: FLAGS, window: WINDOW, open: false, proxy, ...options }, async (world) => {
    const { page, terminal, link, watch } = world;
    watch.tolerate(REFUSAL_ERRORS);
    for (const pattern of options.tolerate ?? []) watch.tolerate(pattern);
    await page.goto(link.href);
    await page.getByText(text).first().waitFor();
    await terminal.waitForBanners();
    await world.screenshot(page, `proxy-${name.replaceAll(/\W+/g, "-")}`);
  });
}

for (const [name, proxy, flags, path] of [
  ["nginx", nginx, [], "/"],
  ["Caddy", caddy, [], "/"],
  [
    "nginx for a part of a site",
    (link) => nginx(link, (text) => replaceRequired(text, "location /", "location /shell/")),
    ["--base-path", "/shell"],
    "/shell/",
  ],
  ["Caddy for a part of a site", (link) => caddy(link, undefined, "handle"), ["--base-path", "/shell"], "/shell/"],
]) {
  const options = { flags: [...FLAGS, ...flags], window: WINDOW, proxy };
  pageTest(`limpet works behind ${name}, as docs/proxy.md says`, options, async (world) => {
    const { page, terminal, server, context } = world;
    assert.equal(new URL(page.url()).pathname, path);
    assert.equal(await terminal.run("echo through it"), "through it");
    const [cookie] = await context.cookies();
    assert.ok(cookie.secure, "limpet knows that the browser's connection is encrypted");
    const [signIn] = await (
      await fetch(new URL("api/sign-ins", server.url), { headers: { authorization: `Bearer ${server.token}` } })
    ).json();
    assert.equal(signIn.from, "127.0.0.1", "and whose it is");
    await page.reload();
    await terminal.waitForText(/^through it$/m);
    await server.kill();
    assert.equal(await terminal.run("echo again"), "again");
  });
}

explanationTest(
  "nginx without the Host header",
  (link) => nginx(link, (text) => replaceRequired(text, "proxy_set_header Host $http_host;", "")),
  /The page is from https:\/\/shell\.example\.org:\d+, but its request came for 127\.0\.0\.1:\d+.*pass on the Host header/,
);
explanationTest(
  "nginx that leaves out the port",
  (link) => nginx(link, (text) => replaceRequired(text, "$http_host", "$host")),
  /The page is from https:\/\/shell\.example\.org:\d+, but its request came for shell\.example\.org:.*port included/,
);
explanationTest(
  "nginx with the name of its upstream in Host",
  (link) =>
    nginx(link, (text) => {
      const named = replaceRequired(text, "http://127.0.0.1:7707", "http://backend");
      return `upstream backend { server 127.0.0.1:7707; }\n${replaceRequired(named, "$http_host", "$proxy_host")}`;
    }),
  /Limpet is not configured for the host name backend: .*forward the browser's Host header/,
);
explanationTest("a name that limpet does not know", nginx, /--allow-host shell\.example\.org/, { flags: [] });
explanationTest(
  "Caddy that puts its upstream into Host",
  (link) => caddy(link, (text) => text.replace(/reverse_proxy (\S+)/, "reverse_proxy $1 {\nheader_up Host {upstream_hostport}\n}")),
  /but its request came for 127\.0\.0\.1:\d+/,
);
explanationTest(
  "nginx without Upgrade",
  (link) => nginx(link, (text) => replaceRequired(text, "proxy_set_header Upgrade $http_upgrade;", "")),
  /no WebSocket reaches it.*Upgrade/,
);
explanationTest(
  "nginx that speaks HTTP 1.0",
  (link) => nginx(link, (text) => replaceRequired(text, "proxy_http_version 1.1;", "")),
  /no WebSocket reaches it/,
);
explanationTest(
  "Caddy without Upgrade",
  (link) => caddy(link, (text) => text.replace(/reverse_proxy (\S+)/, "reverse_proxy $1 {\nheader_up -Upgrade\n}")),
  /no WebSocket reaches it/,
);
explanationTest(
  "nginx that removes cookies",
  (link) => nginx(link, (text) => replaceRequired(text, "proxy_http_version", "proxy_hide_header Set-Cookie; proxy_http_version")),
  /This browser did not keep the log-in/,
);
explanationTest(
  "nginx with a policy that forbids WebAssembly",
  (link) =>
    nginx(link, (text) =>
      replaceRequired(text, "proxy_http_version", `add_header Content-Security-Policy "script-src 'self' 'unsafe-inline'"; proxy_http_version`),
    ),
  /WebAssembly is blocked/,
  { tolerate: [/CSP violation|Content.Security|CompileError|WebAssembly/] },
);
explanationTest(
  "nginx with a policy that forbids the page's own script",
  (link) =>
    nginx(link, (text) =>
      replaceRequired(text, "proxy_http_version", `add_header Content-Security-Policy "default-src 'self'"; proxy_http_version`),
    ),
  /limpet could not start.*Content-Security-Policy/,
  { tolerate: [/CSP violation|Content.Security|CompileError|WebAssembly|TypeError|inline/] },
);

pageTest(
  "a path that the proxy strips gives a page that says so",
  { flags: [...FLAGS, "--base-path", "/shell"], window: WINDOW, open: false, proxy: (link) => nginx(link, (text) => {
    const stripped = replaceRequired(text, "proxy_pass http://127.0.0.1:7707", "proxy_pass http://127.0.0.1:7707/");
    return replaceRequired(stripped, "location /", "location /shell/");
  }) },
  async ({ page, link, watch }) => {
    watch.tolerate(REFUSAL_ERRORS);
    await page.goto(link.href);
    await page.getByText("Limpet is at /shell/").waitFor();
  },
);

pageTest("a limpet that is stopped behind a proxy is noticed, and so is the next one", { flags: FLAGS, window: WINDOW, proxy: nginx }, async (world) => {
  const { page, terminal, server, watch } = world;
  watch.tolerate(REFUSAL_ERRORS);
  watch.tolerate(/502/);
  await server.stop();
  await terminal.banner().getByText("limpet was stopped").waitFor();
  const again = await Server.start(undefined, FLAGS, server.url.host);
  try {
    await terminal.banner().getByRole("button", { name: "Try now" }).click();
    await page.getByText("limpet was restarted. Use the link it printed last.").waitFor();
  } finally {
    await again.stop();
  }
});
