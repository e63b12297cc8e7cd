// A TCP proxy between a browser and the web server that simulates a bad network.
import { connect, createServer } from 'node:net';

/** A TCP proxy that forwards, holds or cuts. It sends nothing of its own. */
export class Wire {
  /**
   * @param {string} target The URL of the web server.
   * @param {number} [idle] Cuts connections that were idle for so many milliseconds, as some proxies do.
   */
  static async to(target, idle = 0) {
    const wire = new Wire();
    Object.assign(wire, { target: new URL(target), idle, pairs: new Set(), state: 'passing', webSockets: 0 });
    wire.server = createServer((browser) => wire.accept(browser));
    await new Promise((resolve) => wire.server.listen(0, '127.0.0.1', resolve));
    // A failed test does not close it.
    wire.server.unref();
    wire.url = `http://127.0.0.1:${wire.server.address().port}`;
    return wire;
  }

  /** Forwards bytes again, the held ones first. */
  pass() {
    this.state = 'passing';
    for (const pair of this.pairs) pair.go();
  }

  /** Holds all bytes and all ends of connections, as a network that drops packets does. */
  swallow() {
    this.state = 'swallowing';
    for (const pair of this.pairs) pair.stop();
  }

  /** Closes every connection and refuses new ones. */
  cut() {
    this.state = 'cut';
    for (const pair of this.pairs) pair.end();
  }

  /** The open WebSocket connections. */
  open() {
    return [...this.pairs].filter(({ isWebSocket }) => isWebSocket);
  }

  close() {
    this.cut();
    this.server.close();
  }

  accept(browser) {
    if (this.state === 'cut') browser.destroy();
    else this.pairs.add(new Pair(this, browser));
  }
}

/** One connection: a socket to the browser and one to the web server. */
class Pair {
  constructor(wire, browser) {
    const server = connect(Number(wire.target.port), wire.target.hostname);
    Object.assign(this, { wire, browser, server, ends: [browser, server], since: Date.now(), isWebSocket: false });
    browser.once('data', (head) => {
      // Without an upgrade it is a question to the daemon.
      this.isWebSocket = /^GET \/ws[ ?][^]*\nupgrade: websocket/i.test(head.toString('latin1'));
      if (this.isWebSocket) wire.webSockets++;
    });
    browser.setTimeout(wire.idle, () => this.end());
    for (const [from, to] of [[browser, server], [server, browser]]) {
      from.on('data', (bytes) => to.write(bytes) || from.pause());
      to.on('drain', () => wire.state === 'passing' && from.resume());
      // An error is followed by close, which is handled below.
      from.on('error', () => {});
      from.on('close', () => {
        this.ended = true;
        if (wire.state !== 'swallowing') this.end();
      });
    }
    if (wire.state === 'swallowing') this.stop();
  }

  stop() {
    for (const end of this.ends) end.pause();
  }

  go() {
    if (this.ended) this.end();
    for (const end of this.ends) end.resume();
  }

  end() {
    this.wire.pairs.delete(this);
    for (const end of this.ends) end.destroy();
  }
}
