// A network that can be cut: a TCP relay in front of the server.

import { createServer, connect } from "node:net";
import { once } from "node:events";

/** A relay to a server. */
export class Network {
  #target;
  #relay;
  #sockets = new Set();
  #up = true;

  /** Starts a relay on a port of its own. */
  static async start(url) {
    const network = new Network();
    network.setTarget(url);
    network.#relay = createServer((inner) => network.#accept(inner));
    network.#relay.listen(0, "127.0.0.1");
    await once(network.#relay, "listening");
    network.url = new URL(url);
    network.url.port = String(network.#relay.address().port);
    return network;
  }

  /** Breaks all connections and rejects new ones. */
  cut() {
    this.#up = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Accepts connections again. */
  restore() {
    this.#up = true;
  }

  /** Relays new connections to another server from now on. */
  setTarget(url) {
    this.#target = { host: url.hostname, port: Number(url.port) };
  }

  /** Ends the relay and its connections. */
  async close() {
    this.cut();
    this.#relay.close();
    await once(this.#relay, "close");
  }

  #accept(inner) {
    if (!this.#up) {
      inner.on("error", () => {});
      inner.resetAndDestroy();
      return;
    }
    const outer = connect(this.#target);
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ]) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
