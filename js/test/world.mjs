// A fake browser with a fake clock: no test waits for real time.
import { connect } from '../src/chatpush.js';

/** Runs all pending microtasks and immediates. */
export async function settle() {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** An unsigned connect token with a user. */
export function tokenOf(user) {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: user })}.c2lnbmF0dXJl`;
}

class Clock {
  now = 0;
  timers = [];

  set(call, delay) {
    const timer = { call, at: this.now + delay };
    this.timers.push(timer);
    return timer;
  }

  clear(timer) {
    this.timers = this.timers.filter((other) => other !== timer);
  }

  /** Advances the clock and runs every timer that becomes due, in order. */
  async advance(milliseconds) {
    const end = this.now + milliseconds;
    await settle();
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.clear(due);
      this.now = Math.max(this.now, due.at);
      due.call();
      await settle();
    }
    this.now = end;
  }
}

/** A fake WebSocket, controlled from the daemon's side. */
class Socket {
  readyState = 0;
  texts = [];
  closedByPage = false;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }

  send(text) {
    if (this.readyState === 0) throw new Error('InvalidStateError');
    if (this.readyState === 1) this.texts.push(text);
  }

  /** The page closes the socket. No close event: on a dead connection it would come minutes later. */
  close() {
    this.closedByPage = true;
    this.readyState = 2;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }

  say(frame) {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  end(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** The frames that the page has sent. */
  get sent() {
    return this.texts.map((text) => JSON.parse(text));
  }

  /** The acks that the page has sent, each a list of ids. */
  get acks() {
    return this.sent.filter(({ ack }) => ack).map(({ ack }) => ack);
  }
}

class Locks {
  holders = new Map();
  queues = new Map();

  request(name, { signal, steal }, granted) {
    return new Promise((resolve, reject) => {
      const request = { granted, resolve, reject };
      const queue = this.queues.get(name) ?? [];
      if (steal) {
        this.holders.get(name)?.reject(new Error('AbortError: stolen'));
        this.holders.delete(name);
        queue.unshift(request);
      } else {
        queue.push(request);
      }
      this.queues.set(name, queue);
      signal?.addEventListener('abort', () => {
        if (!queue.includes(request)) return;
        queue.splice(queue.indexOf(request), 1);
        reject(signal.reason);
      });
      queueMicrotask(() => this.grant(name));
    });
  }

  async grant(name) {
    if (this.holders.has(name)) return;
    const request = this.queues.get(name)?.shift();
    if (!request) return;
    this.holders.set(name, request);
    request.resolve(await request.granted());
    if (this.holders.get(name) !== request) return;
    this.holders.delete(name);
    this.grant(name);
  }
}

class Storage {
  items = new Map();
  getItem(key) { return this.items.get(key) ?? null; }
  setItem(key, value) { this.items.set(key, String(value)); }
  removeItem(key) { this.items.delete(key); }
}

/** A fake browser: what all its tabs share. */
export class Browser {
  clock = new Clock();
  storage = new Storage();
  locks = new Locks();
  channels = new Set();
  /** The value of Math.random(). 1 gives the upper bound of a wait. */
  random = 1;

  /** Opens a tab. `parts` replace or remove parts of its global object. */
  tab(parts = {}) {
    return new Tab(this, parts);
  }
}

class Tab {
  sockets = [];
  logged = [];
  /** The requests of the page. */
  requests = [];
  /** The answer to them, `[status, text]`; without one, the server does not answer. */
  answer;
  asleep = false;

  constructor(browser, parts) {
    this.browser = browser;
    const { clock, channels } = browser;
    const tab = this;
    const document = new EventTarget();
    document.visibilityState = 'visible';
    this.world = Object.assign(new EventTarget(), {
      document,
      console: { error: (...words) => this.logged.push(words.map(String).join(' ')) },
      Math: { random: () => browser.random },
      performance: { now: () => clock.now },
      Date: { now: () => clock.now },
      setTimeout: (call, delay) => clock.set(call, delay),
      clearTimeout: (timer) => clock.clear(timer),
      localStorage: browser.storage,
      location: { href: 'https://shop.example/chat/' },
      navigator: { locks: browser.locks },
      AbortController,
      atob,
      fetch: async (url, options) => {
        this.requests.push({ url, ...options });
        if (!this.answer) throw new TypeError('Failed to fetch');
        const [status, text] = this.answer;
        return { status, text: async () => text };
      },
      WebSocket: class extends Socket {
        constructor(url, protocols) {
          super(url, protocols);
          tab.sockets.push(this);
        }
      },
      BroadcastChannel: class {
        constructor(name) {
          this.name = name;
          this.tab = tab;
          channels.add(this);
        }
        postMessage(said) {
          const copy = structuredClone(said);
          for (const other of channels) {
            if (other === this || other.name !== this.name || other.tab.asleep) continue;
            queueMicrotask(() => channels.has(other) && other.onmessage?.({ data: copy }));
          }
        }
        close() { channels.delete(this); }
      },
    }, parts);
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Connects and records every event but messages. */
  chat(options = {}) {
    const chat = connect({ token: tokenOf(7), ...options }, this.world);
    this.states = [];
    this.messages = [];
    this.unread = [];
    this.errors = [];
    chat.on('state', (state) => { this.states.push(state); });
    chat.on('unread', (count) => { this.unread.push(count); });
    chat.on('error', (error) => { this.errors.push(error); });
    return chat;
  }

  /** Connects, records messages too, and lets the daemon accept the connection. */
  async open(options) {
    const chat = this.chat(options);
    chat.on('message', ({ data }) => { this.messages.push(data); });
    await settle();
    this.socket?.accept();
    await settle();
    return chat;
  }

  /** Shows or hides the tab. */
  show(visible = true) {
    this.world.document.visibilityState = visible ? 'visible' : 'hidden';
    this.world.document.dispatchEvent(new Event('visibilitychange'));
  }

  online() {
    this.world.dispatchEvent(new Event('online'));
  }
}

/** A message frame as the daemon sends it. */
export function message(id, data = id) {
  return { id, type: 'text', data, time: 1_732_323_232_123 };
}
