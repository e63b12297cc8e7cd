/* chatpush 0.2.0, MIT OR Apache-2.0 */

// src/acks.js
var IDS = 1e3;
var BYTES = 6e4;
var Acks = class {
  constructor(world, handled, connection) {
    this.world = world;
    this.handled = handled;
    this.connection = connection;
    this.waiting = [];
  }
  /** Queues an ack for the socket the message came from: the daemon accepts it on that connection only. */
  add(id, socket) {
    this.waiting.push({ id, socket });
    this.flushSoon();
  }
  /** Saves what was handled, and sends the queued acks, after this task. */
  flushSoon() {
    this.timer ?? (this.timer = this.world.setTimeout(() => this.flush(), 0));
  }
  /** Saves and sends the queued acks now. */
  flush() {
    this.world.clearTimeout(this.timer);
    this.timer = void 0;
    const waiting = this.waiting;
    this.waiting = [];
    this.handled.save();
    let ids = [];
    let bytes = 0;
    for (const { id, socket } of waiting) {
      if (socket !== this.connection.socket) continue;
      const size = JSON.stringify(id).length + 1;
      if (ids.length === IDS || bytes + size > BYTES) {
        this.send(ids);
        [ids, bytes] = [[], 0];
      }
      ids.push(id);
      bytes += size;
    }
    if (ids.length) this.send(ids);
  }
  send(ids) {
    this.connection.send(JSON.stringify({ ack: ids }));
  }
};

// src/address.js
var TOKEN = /^[\w.~+-]+$/;
var PROTOCOL = "chatpush.v1";
function addressOf(world, url = "/ws") {
  const address = new URL(url, world.location?.href);
  if (/^https?:$/.test(address.protocol)) address.protocol = address.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(address.protocol)) {
    throw new TypeError(`chatpush cannot connect to ${address.protocol}`);
  }
  address.hash = "";
  return address;
}
function handshake(address, token, inQuery) {
  if (!inQuery) return [address.href, [PROTOCOL, `chatpush.token.${token}`]];
  const full = new URL(address);
  full.searchParams.set("token", token);
  full.searchParams.set("protocol", PROTOCOL);
  return [full.href];
}
function pageOf(address) {
  return address.href.replace(/^ws/, "http");
}
function userOf(world, token) {
  return String(claimsOf(world, token).sub ?? "");
}
function claimsOf(world, token) {
  try {
    return JSON.parse(world.atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))) ?? {};
  } catch {
    return {};
  }
}
function isToken(text) {
  return TOKEN.test(text);
}

// src/heartbeat.js
var PING_INTERVAL = 18e3;
var PONG_TIMEOUT = 1e4;
var Heartbeat = class {
  /** Sends the first ping at once, to learn early whether the daemon answers. */
  constructor(world, send, dead) {
    this.world = world;
    this.send = send;
    this.dead = dead;
    this.answers = false;
    this.beat();
  }
  /** Sends a ping now and schedules the next one. */
  beat() {
    const { world } = this;
    world.clearTimeout(this.next);
    this.next = world.setTimeout(() => this.beat(), PING_INTERVAL);
    this.send('{"ping":true}');
    if (this.answers) this.deadline ?? (this.deadline = world.setTimeout(this.dead, PONG_TIMEOUT));
  }
  /** A frame came, so the connection works. A pong also shows that the daemon answers pings. */
  heard(isPong) {
    this.answers || (this.answers = isPong);
    this.world.clearTimeout(this.deadline);
    this.deadline = void 0;
  }
  stop() {
    this.world.clearTimeout(this.next);
    this.heard(false);
  }
};

// src/frame.js
function read(text) {
  const frame = parse(text);
  if (!frame) return void 0;
  if (frame.pong === true) return { event: "pong" };
  const id = typeof frame.id === "string" && frame.id ? frame.id : void 0;
  if (id === void 0) {
    const { type, users, event, from, value, until, error, to, ids } = frame;
    if (type === "presence" && users) return { event: "presence", value: users };
    if (type === "event" && typeof event === "string") return { event: "event", value: { event, from, value } };
    if (type === "recall" && Array.isArray(ids)) return { event: "recall", value: ids };
    if (type === "delivered" && Array.isArray(ids)) return { event: "delivered", value: { to, ids } };
    if (type === "push") return { event: "push", value: frame };
    if (type === "grant" && (until || error)) return { event: "grant", value: { until, error } };
  }
  const count = countIn(frame) ?? countIn(parse(frame.data));
  const { by, more } = frame;
  if (count !== void 0) return { event: "unread", id, value: count, ...by && { by }, ...more && { more } };
  return typeof frame.data === "string" ? { event: "message", id, value: frame } : void 0;
}
function countIn(object) {
  return object?.type === "unread_count" && Number.isInteger(object.data) ? object.data : void 0;
}
function parse(text) {
  if (typeof text !== "string" || !/^\s*\{/.test(text)) return void 0;
  try {
    return JSON.parse(text);
  } catch {
    return void 0;
  }
}

// src/reason.js
var TIMEOUT = 1e4;
var LONGEST = 200;
async function reasonOf(world, address, token) {
  const url = pageOf(address);
  if (world.navigator?.onLine === false) return "this device is offline";
  const aborter = world.AbortController && new world.AbortController();
  const timer = world.setTimeout(() => aborter?.abort(), TIMEOUT);
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await world.fetch(url, { headers, cache: "no-store", signal: aborter?.signal });
    const text = (await answer.text()).trim();
    if (answer.status === 200 && text === "ok") return void 0;
    if (text && text.length <= LONGEST && !text.startsWith("<")) {
      return `chatpushd refuses the connection: ${answer.status} ${text}`;
    }
    return `${url} answers ${answer.status}, which is not chatpushd: does the web server forward it?`;
  } catch {
    return `${url} does not answer: does chatpushd run, and does the web server forward it?`;
  } finally {
    world.clearTimeout(timer);
  }
}
var BLOCKED = "chatpushd would accept the connection, but no WebSocket gets through: every proxy must forward the headers Upgrade and Connection";

// src/outage.js
var UNREACHABLE = 3e4;
var Outage = class {
  constructor(world, address, hooks) {
    Object.assign(this, { world, address, hooks });
    this.inQuery = false;
    this.number = 0;
    this.end();
  }
  /** An attempt begins. */
  begin() {
    this.timer ?? (this.timer = this.world.setTimeout(() => this.report(), UNREACHABLE));
  }
  /** The token of an attempt. */
  tried(token) {
    this.token = token;
  }
  /** No token could be had. */
  failed(error) {
    this.problem = error;
  }
  /** A handshake was refused, or had no answer in time. */
  refused() {
    const { inQuery, works, token } = this;
    if (inQuery && !works) this.inQuery = false;
    if (this.switched) {
      this.blocked = true;
      this.tell(BLOCKED);
    } else if (works === void 0 && !this.asked) {
      this.ask(token);
    }
  }
  /** The connection is open. */
  over() {
    this.works = this.inQuery;
    this.end();
  }
  /** Nothing is attempted any more. */
  end() {
    this.number++;
    this.world.clearTimeout(this.timer);
    this.timer = this.token = this.problem = void 0;
    this.asked = this.switched = this.blocked = this.due = false;
  }
  async report() {
    const { number, token, problem } = this;
    this.due = true;
    this.hooks.unreachable();
    if (number !== this.number) return;
    if (token === void 0) this.tell(problem?.message ?? "the token function has returned nothing yet");
    else await this.ask(token);
  }
  /**
   * Asks for the reason. If there is none, the way of the token may be it, and the next attempt uses the other.
   */
  async ask(token) {
    const { number } = this;
    this.asked = true;
    const reason = await reasonOf(this.world, this.address, token);
    if (number !== this.number) return;
    if (reason || this.blocked) {
      this.tell(reason ?? BLOCKED);
    } else if (!this.switched) {
      this.switched = true;
      this.inQuery = !this.inQuery;
      this.hooks.retry();
    }
  }
  /** Says once why nothing connects, when the time has come. */
  tell(reason) {
    if (!this.due) return;
    this.due = false;
    this.hooks.error(new Error(`no connection for 30 seconds: ${reason}`));
  }
};

// src/retry.js
var BASE = 250;
var CAP = 3e4;
var RESTART = 1e3;
var STABLE = 1e4;
var FINAL = [1003, 1009, 4403];
var Retry = class {
  constructor(world) {
    this.world = world;
    this.reset();
  }
  reset() {
    this.failures = 0;
    this.renewed = false;
  }
  /**
   * The wait after a connection or an attempt ended.
   * @param {number} [code] The close code, if there was one.
   * @param {number} [lived] How long the connection was open, in milliseconds; 0 if it never was.
   * @returns {number|undefined} Milliseconds; undefined: do not connect again.
   */
  after(code, lived = 0) {
    if (lived >= STABLE) this.reset();
    if (FINAL.includes(code)) return void 0;
    const random = this.world.Math.random();
    if (code === 1012) return random * RESTART;
    if (code === 4401 && !this.renewed) {
      this.renewed = true;
      return 0;
    }
    return random * Math.min(CAP, BASE * 2 ** this.failures++);
  }
};

// src/connection.js
var CONNECT_TIMEOUT = 3e4;
var SPARE = 1e4;
var Connection = class {
  constructor(world, address, token, hooks) {
    Object.assign(this, { world, address, token, hooks });
    this.retry = new Retry(world);
    this.outage = new Outage(world, address, {
      unreachable: () => {
        this.unreachable = true;
        hooks.state("unreachable");
      },
      error: hooks.error,
      retry: () => this.start()
    });
    this.round = 0;
  }
  /** Connects now and cancels any attempt or connection before. */
  async start() {
    this.cancel();
    this.outage.begin();
    const { round, hooks, world } = this;
    this.timer = world.setTimeout(() => this.ended(), CONNECT_TIMEOUT);
    this.state("connecting");
    let token;
    try {
      token = await this.fetchToken(round);
    } catch (error) {
      if (round !== this.round) return;
      this.outage.failed(error);
      hooks.error(error);
      if (round === this.round) this.ended();
      return;
    }
    if (round === this.round && hooks.admit(token)) this.open(token);
  }
  /** Cancels the attempt or closes the connection, without calling any hook. Nothing is attempted again. */
  stop() {
    this.cancel();
    this.outage.end();
    this.unreachable = false;
  }
  /** While the daemon is unreachable, attempts are not worth a change of the state. */
  state(state) {
    if (!this.unreachable) this.hooks.state(state);
  }
  cancel() {
    this.round++;
    this.waiting = false;
    this.world.clearTimeout(this.timer);
    this.heartbeat?.stop();
    this.heartbeat = void 0;
    const { socket } = this;
    this.socket = void 0;
    this.opening = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
  /** The network or the user is back: ends a wait for the next attempt, or sends a ping. */
  wake() {
    if (this.waiting) this.start();
    else this.heartbeat?.beat();
  }
  /** Sends a text frame. Returns false, and sends nothing, if no connection is open. */
  send(text) {
    if (this.socket?.readyState !== 1) return false;
    this.socket.send(text);
    return true;
  }
  /** Keeps a token for the next attempt. */
  keep(token) {
    this.spare = { token, until: this.world.performance.now() + SPARE };
  }
  async fetchToken(round) {
    const { spare, token } = this;
    this.spare = void 0;
    if (spare && this.world.performance.now() < spare.until) return spare.token;
    await void 0;
    if (round !== this.round) return "";
    const fetched = typeof token === "function" ? await token() : token;
    const text = typeof fetched === "string" ? fetched.trim() : "";
    if (!isToken(text)) {
      throw new Error("the token function returned no token (a string like aaa.bbb.ccc)");
    }
    return text;
  }
  open(token) {
    const { world, hooks } = this;
    let socket;
    try {
      socket = new world.WebSocket(...handshake(this.address, token, this.outage.inQuery));
    } catch (error) {
      hooks.giveUp(error);
      return;
    }
    this.socket = socket;
    this.opening = true;
    this.outage.tried(token);
    let opened;
    const lived = () => opened === void 0 ? 0 : world.performance.now() - opened;
    socket.onopen = () => {
      world.clearTimeout(this.timer);
      opened = world.performance.now();
      this.heartbeat = new Heartbeat(world, (text) => this.send(text), () => this.ended(void 0, lived()));
      this.opening = false;
      this.outage.over();
      this.unreachable = false;
      hooks.state("open");
    };
    socket.onmessage = ({ data }) => {
      const frame = read(data);
      const isPong = frame?.event === "pong";
      this.heartbeat?.heard(isPong);
      if (frame && !isPong) hooks.frame(frame, socket);
    };
    socket.onclose = ({ code, reason }) => this.ended(code, lived(), reason);
  }
  ended(code, lived, reason) {
    const { opening } = this;
    this.cancel();
    const { round } = this;
    if (opening) this.outage.refused();
    if (round !== this.round) return;
    const delay = this.retry.after(code, lived);
    if (delay === void 0) {
      const text = `the server has closed the connection for good: ${code} ${reason ?? ""}`.trim();
      this.hooks.giveUp(Object.assign(new Error(text), { code }));
    } else if (delay === 0 && code === 4401) {
      this.start();
    } else {
      this.waiting = true;
      this.timer = this.world.setTimeout(() => this.start(), delay);
      this.state("waiting");
    }
  }
};

// src/events.js
var Events = class {
  constructor(world) {
    this.world = world;
    this.handlers = new Map(["message", "unread", "presence", "event", "recall", "delivered", "state", "error"].map((event) => [event, []]));
  }
  /**
   * Adds a handler. The same function may be added more than once.
   * @returns {() => void} Removes this handler; calling it again does nothing.
   * @throws {TypeError} If the event does not exist or the handler is not a function.
   */
  on(event, handler) {
    if (!this.handlers.has(event)) throw new TypeError(`chatpush has no event '${event}'`);
    if (typeof handler !== "function") throw new TypeError("a handler must be a function");
    const entry = { handler };
    this.handlers.get(event).push(entry);
    return () => {
      this.handlers.set(event, this.handlers.get(event).filter((other) => other !== entry));
    };
  }
  /** Whether the event has a handler. */
  has(event) {
    return this.handlers.get(event).length > 0;
  }
  /**
   * Calls every handler before it returns, in the order they were added. One that throws does not stop the
   * others.
   * @returns {Promise<boolean>} Resolves when all promises of the handlers are settled: true if none failed.
   */
  async emit(event, ...values) {
    const calls = [...this.handlers.get(event)].map(
      ({ handler }) => new Promise((resolve) => resolve(handler(...values)))
    );
    const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === "rejected");
    for (const { reason } of failed) this.fail(reason);
    return failed.length === 0;
  }
  /** Emits an error. Without a handler it is written to the console. */
  fail(reason) {
    const error = reason instanceof Error ? reason : new Error(String(reason));
    const { console } = this.world;
    if (!this.has("error")) console.error("chatpush:", error);
    for (const { handler } of [...this.handlers.get("error")]) {
      try {
        handler(error);
      } catch (broken) {
        console.error("chatpush: an error handler failed:", broken);
      }
    }
  }
};

// src/grant.js
var RENEWED_AT = 0.9;
var LONGEST2 = 864e5;
var RETRY = 5e3;
var RETRY_CAP = 6e4;
var Grant = class {
  /** @param {string|(() => string|Promise<string>)} grant */
  constructor(world, grant, hooks) {
    Object.assign(this, { world, grant, hooks });
    this.round = 0;
    this.failures = 0;
  }
  /** The connection is open. */
  async begin() {
    this.end();
    const { round, grant, world } = this;
    try {
      const fetched = typeof grant === "function" ? await grant() : grant;
      if (round !== this.round) return;
      const text = typeof fetched === "string" ? fetched.trim() : "";
      if (!isToken(text)) throw new Error("the grant function returned no grant (a string like aaa.bbb.ccc)");
      this.hooks.send(JSON.stringify({ grant: text }));
      const { iat, exp } = claimsOf(world, text);
      this.renewAfter((exp - iat) * 1e3 * RENEWED_AT);
    } catch (error) {
      if (round !== this.round) return;
      this.hooks.error(error);
      if (round === this.round) this.retry();
    }
  }
  /** The connection has ended. */
  end() {
    this.round++;
    this.world.clearTimeout(this.timer);
  }
  /** The daemon says that the grant is in force. */
  accepted() {
    this.failures = 0;
  }
  /** The daemon says that the grant was refused, or has ended. */
  refused(reason) {
    const { round } = this;
    if (this.failures > 0 || !this.canRenew()) this.hooks.error(new Error(`no grant: ${reason}`));
    if (round === this.round) this.retry();
  }
  canRenew() {
    return typeof this.grant === "function";
  }
  /** The first time at once, because that may be an expired grant. */
  retry() {
    this.renewAfter(this.failures === 0 ? 0 : Math.min(RETRY_CAP, RETRY * 2 ** (this.failures - 1)));
    this.failures++;
  }
  renewAfter(delay) {
    this.world.clearTimeout(this.timer);
    if (!this.canRenew() || !Number.isFinite(delay)) return;
    this.timer = this.world.setTimeout(() => this.begin(), Math.min(LONGEST2, delay));
  }
};

// src/handled.js
var REMEMBERED = 1024;
var Handled = class {
  constructor(world, key) {
    this.world = world;
    this.key = key;
    this.ids = new Set(this.stored());
    this.fresh = [];
  }
  has(id) {
    return this.ids.has(id);
  }
  add(id) {
    this.ids.add(id);
    this.fresh.push(id);
    for (const oldest of this.ids) {
      if (this.ids.size <= REMEMBERED) break;
      this.ids.delete(oldest);
    }
    if (this.fresh.length > REMEMBERED) this.fresh.shift();
  }
  /** Appends the new ids to those that other tabs have stored meanwhile. */
  save() {
    if (!this.fresh.length) return;
    const ids = [.../* @__PURE__ */ new Set([...this.stored(), ...this.fresh])].slice(-REMEMBERED);
    try {
      this.world.localStorage.setItem(this.key, JSON.stringify(ids));
      this.fresh = [];
    } catch {
    }
  }
  stored() {
    try {
      const ids = JSON.parse(this.world.localStorage.getItem(this.key));
      return ids.filter((id) => typeof id === "string").slice(-REMEMBERED);
    } catch {
      return [];
    }
  }
};

// src/inbox.js
var HELD = 1024;
function counted(value, by, more) {
  if (!by) return [value];
  return more ? [value, by, more] : [value, by];
}
var keyOf = ({ id, value }) => isCopy(value) ? `${id}
${[value.to].flat()[0]}` : id;
var isCopy = (message) => message?.to !== void 0;
var Inbox = class {
  /**
   * @param settle Called with key and socket of each message that is handled now or was handled before, and
   *   whether it is only a copy.
   */
  constructor(events, handled, settle) {
    this.events = events;
    this.handled = handled;
    this.settle = settle;
    this.queue = [];
    this.running = false;
    this.closed = false;
  }
  /** Takes a frame. The socket is `undefined` if another tab received it. */
  receive(frame, socket) {
    if (this.closed) return;
    const key = keyOf(frame);
    if (this.handled.has(key)) {
      this.settle(key, socket, isCopy(frame.value));
    } else if (frame.event === "unread") {
      this.handle(frame, socket);
    } else {
      this.queue.push({ frame, socket });
      if (this.queue.length > HELD && !this.events.has("message")) this.queue.shift();
      this.run();
    }
  }
  /** Works through the queue. Without a handler messages stay there: an ack would lose them. */
  async run() {
    if (this.running) return;
    this.running = true;
    while (this.queue.length && this.events.has("message")) {
      const { frame, socket } = this.queue.shift();
      await this.handle(frame, socket);
    }
    this.running = false;
  }
  async handle(frame, socket) {
    const { event, id, value, by, more } = frame;
    const key = keyOf(frame);
    const done = this.handled.has(key) || await this.events.emit(event, ...counted(value, by, more));
    if (!done || id === void 0) return;
    if (!this.handled.has(key)) this.handled.add(key);
    this.settle(key, socket, isCopy(value));
  }
  /**
   * Another tab has handled a message. Without a message handler of its own, this page counts it as handled.
   */
  handledElsewhere(key) {
    if (this.events.has("message")) return;
    if (this.queue.some(({ frame }) => keyOf(frame) === key)) this.drop(key);
  }
  /**
   * Messages were taken back. Those that wait are not handed out, nor is one that comes later, from a page of
   * stored messages that was read before.
   */
  forget(ids) {
    for (const id of ids) this.drop(id);
  }
  /** Counts a message as handled, and takes it out of the queue. */
  drop(key) {
    if (!this.handled.has(key)) this.handled.add(key);
    const [dropped, kept] = [[], []];
    for (const queued of this.queue) (keyOf(queued.frame) === key ? dropped : kept).push(queued);
    this.queue = kept;
    for (const { frame, socket } of dropped) this.settle(key, socket, isCopy(frame.value));
  }
  /** Drops the queue. The message that is being handled is finished. */
  close() {
    this.closed = true;
    this.queue = [];
  }
};

// src/support.js
function supportOf({ isSecureContext, navigator, PushManager, Notification }) {
  if (isSecureContext === false) return { missing: "notifications need https, or localhost" };
  if (navigator?.serviceWorker && PushManager && Notification) return {};
  const { userAgent = "", maxTouchPoints } = navigator ?? {};
  const isApple = /iP(hone|ad|od)/.test(userAgent) || /Mac/.test(userAgent) && maxTouchPoints > 1;
  return {
    missing: isApple ? "on iPhones and iPads notifications need iOS 16.4 and the page on the Home Screen: Share, Add to Home Screen" : "this browser has no Web Push"
  };
}

// src/push.js
var KEY = /^[\w-]{87}$/;
var LONGEST3 = 200;
var Push = class {
  /** @param {string|URL} [worker] The URL of the worker, of the page's origin. */
  constructor(world, address, worker = "/chatpush-worker.js") {
    Object.assign(this, { world, address });
    this.script = new URL(worker, world.location?.href).href;
  }
  /** Asks the user, if they have not answered before. Browsers want that in a click. */
  async permit() {
    const { world } = this;
    const { missing } = supportOf(world);
    if (missing) throw new Error(missing);
    const { Notification, navigator } = world;
    if (Notification.permission === "default") {
      if (navigator.userActivation?.isActive === false) {
        throw new Error("call enableNotifications() in the handler of a click: browsers ask the user only then");
      }
      await Notification.requestPermission();
    }
    if (Notification.permission === "granted") return;
    throw new Error(Notification.permission === "denied" ? "notifications are blocked: only the user can allow them, in the settings that the browser has for this site" : "the user has not allowed notifications");
  }
  /** Whether the user allows notifications. */
  isAllowed() {
    return this.world.Notification?.permission === "granted";
  }
  /** The subscription with the daemon's key. Another one of this worker ends. */
  async subscribe() {
    const key = await this.key();
    const { pushManager } = await this.register();
    const old = await pushManager.getSubscription();
    if (old && this.keyOf(old) === key) return old;
    await old?.unsubscribe();
    try {
      return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    } catch (error) {
      throw new Error(`the browser cannot subscribe at its push service: ${error.message}`);
    }
  }
  keyOf({ options }) {
    const bytes = String.fromCharCode(...new Uint8Array(options.applicationServerKey));
    return this.world.btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  }
  /** The daemon's public key. */
  async key() {
    const url = new URL("vapid-public-key", pageOf(this.address)).href;
    const answer = await this.world.fetch(url, { cache: "no-store" });
    const text = (await answer.text()).trim();
    if (answer.status === 200 && KEY.test(text)) return text;
    throw new Error(`${url} answers ${answer.status} and no key: ${text.slice(0, LONGEST3)}`);
  }
  /**
   * Registers the worker and waits until it is active. Its scope is its own URL, where no page is: the application
   * may have a worker of its own.
   */
  async register() {
    const { script, world } = this;
    try {
      const registration = await world.navigator.serviceWorker.register(script, { scope: script });
      const worker = registration.active ?? registration.waiting ?? registration.installing;
      while (!registration.active) {
        if (worker.state === "redundant") throw new Error("it cannot be installed");
        await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
      }
      return registration;
    } catch (error) {
      throw new Error(`the worker ${script} cannot be used: ${error.message}`);
    }
  }
  /** The registration, if there is one. */
  async registration() {
    const found = await this.world.navigator.serviceWorker?.getRegistration(this.script);
    return found?.scope === this.script ? found : void 0;
  }
  /** Ends the subscription. Returns its endpoint, if there was one. */
  async unsubscribe() {
    const subscription = await (await this.registration())?.pushManager.getSubscription();
    await subscription?.unsubscribe();
    return subscription?.endpoint;
  }
  /** Closes what is shown. */
  async close() {
    for (const notification of await (await this.registration())?.getNotifications() ?? []) notification.close();
  }
  /** The number on the icon of an installed application; 0 removes it. */
  badge(count) {
    this.world.navigator.setAppBadge?.(count).catch(() => {
    });
  }
};

// src/worker/renew.js
var CHANGED = "chatpush: subscription changed";

// src/notifications.js
var TIMEOUT2 = 3e4;
var RENEW = 864e5;
var Notifications = class {
  constructor(world, address, worker, hooks) {
    Object.assign(this, { world, hooks });
    this.push = new Push(world, address, worker);
    this.key = `chatpush:push:${this.push.script}`;
    this.asked = [];
    this.hear = ({ data }) => data === CHANGED && this.isLeader && this.renew();
    world.navigator?.serviceWorker?.addEventListener?.("message", this.hear);
  }
  /** @returns {'unsupported'|'denied'|'off'|'on'} */
  get state() {
    if (supportOf(this.world).missing) return "unsupported";
    if (this.world.Notification.permission === "denied") return "denied";
    return this.isOn() ? "on" : "off";
  }
  isOn() {
    const { endpoint, user } = this.stored();
    return Boolean(endpoint) && user === this.hooks.user() && this.push.isAllowed();
  }
  async enable() {
    await this.push.permit();
    await this.inTurn(() => this.subscribe());
  }
  /** Without a connection the daemon learns from the push service that the subscription has ended. */
  disable() {
    return this.inTurn(async () => {
      this.store();
      const endpoint = await this.push.unsubscribe();
      await this.clear(0);
      if (endpoint && this.isOpen) await this.ask({ unpush: endpoint }, "removed", endpoint);
    });
  }
  /** Subscribes and tells the daemon, unless it was told. */
  async subscribe() {
    const subscription = await this.push.subscribe();
    const { endpoint } = subscription;
    const { user, endpoint: saved, time } = this.stored();
    const now = this.world.Date.now();
    if (user === this.hooks.user() && saved === endpoint && now - time < RENEW) return;
    await this.ask({ push: subscription }, "saved", endpoint);
    this.store({ user: this.hooks.user(), endpoint, time: now });
  }
  /** Subscribes again, if notifications are on and the subscription has ended or has another key. */
  async renew() {
    const again = async () => this.isOn() && this.subscribe();
    await this.inTurn(again).catch((error) => this.hooks.error(error));
  }
  /** The state of the connection, of this tab or of the leader. */
  changed(state, isLeader) {
    this.isOpen = state === "open";
    this.isLeader = isLeader;
    if (!this.isOpen) return;
    const now = this.world.Date.now();
    this.asked = this.asked.filter(({ since }) => now - since < TIMEOUT2);
    for (const { frame } of this.asked) this.hooks.send(frame);
    if (isLeader && !this.renewed) {
      this.renewed = true;
      this.renew();
    }
  }
  /** Sends a frame, now or when the connection is open, and waits for the answer. */
  ask(frame, what, endpoint) {
    return new Promise((resolve, reject) => {
      const asked = { frame: JSON.stringify(frame), what, endpoint, since: this.world.Date.now(), resolve, reject };
      this.asked.push(asked);
      if (this.isOpen) this.hooks.send(asked.frame);
    });
  }
  /** The daemon's answer. */
  answer(answer) {
    const { refused, reason } = answer;
    for (const asked of this.asked) {
      if (answer[asked.what] === asked.endpoint) asked.resolve();
      else if (refused === asked.endpoint || refused === "") asked.reject(new Error(`chatpushd refuses: ${reason}`));
      else continue;
      this.asked = this.asked.filter((other) => other !== asked);
    }
  }
  /** One after the other: a page that subscribes again must not undo that the user has disabled it. */
  inTurn(work) {
    const turn = (this.turn ?? Promise.resolve()).then(() => this.within(work()));
    this.turn = turn.catch(() => {
    });
    return turn;
  }
  within(promise) {
    return new Promise((resolve, reject) => {
      const timer = this.world.setTimeout(() => reject(new Error("no answer within 30 seconds")), TIMEOUT2);
      promise.then(resolve, reject).finally(() => this.world.clearTimeout(timer));
    });
  }
  /** The user has read: closes what is shown, if nothing else is unread. */
  async clear(count) {
    this.push.badge(count);
    if (count === 0) await this.push.close();
  }
  /** The user's unread counter. */
  counted(count) {
    if (this.isOn()) this.clear(count).catch((error) => this.hooks.error(error));
  }
  end() {
    this.world.navigator?.serviceWorker?.removeEventListener?.("message", this.hear);
  }
  /** The user whose subscription it is, its endpoint, and when the daemon has saved it. */
  stored() {
    try {
      return JSON.parse(this.world.localStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  }
  store(saved) {
    try {
      if (saved) this.world.localStorage.setItem(this.key, JSON.stringify(saved));
      else this.world.localStorage.removeItem(this.key);
    } catch {
    }
  }
};

// src/page.js
function listen(world, { wake, leave }) {
  const { document } = world;
  const seen = () => {
    if (document.visibilityState === "visible") wake();
  };
  const heard = [
    [world, "online", wake],
    [world, "pagehide", leave],
    [document, "visibilitychange", seen]
  ];
  for (const [target, event, handler] of heard) target?.addEventListener?.(event, handler);
  return () => {
    for (const [target, event, handler] of heard) target?.removeEventListener?.(event, handler);
  };
}

// src/reads.js
var INTERVAL = 20;
var LIFETIME = 1e4;
var Reads = class {
  /** @param send Sends the read of a conversation, and returns whether it could. */
  constructor(world, send) {
    Object.assign(this, { world, send });
    this.waiting = /* @__PURE__ */ new Map();
  }
  /** Adds a conversation that was read at this time. Returns whether that is not too long ago. */
  add(conversation, time = this.world.Date.now()) {
    if (!this.isFresh(time)) return false;
    this.waiting.set(conversation, time);
    return true;
  }
  remove(conversation) {
    this.waiting.delete(conversation);
  }
  isFresh(time) {
    return this.world.Date.now() - time < LIFETIME;
  }
  /** Those that wait, with the time when they were read. */
  fresh() {
    for (const [conversation, time] of this.waiting) {
      if (!this.isFresh(time)) this.remove(conversation);
    }
    return [...this.waiting];
  }
  /** Sends one now and the others one after the other; or all of them, since the page is left. */
  flush(all = false) {
    for (const [conversation] of this.fresh()) {
      if (this.timer && !all || !this.send(conversation)) return;
      this.remove(conversation);
      this.timer ?? (this.timer = this.world.setTimeout(() => {
        this.timer = void 0;
        this.flush();
      }, INTERVAL));
    }
  }
};

// src/tabs.js
var ASK_INTERVAL = 25e3;
var ANSWER_TIMEOUT = 5e3;
var Tabs = class {
  constructor(world, name, hooks) {
    Object.assign(this, { world, name, hooks });
    this.leading = false;
    this.latest = 0;
  }
  /** Whether this browser has the APIs in this context. */
  static possible(world) {
    return Boolean(world.BroadcastChannel && world.AbortController && world.navigator?.locks);
  }
  /** Requests the lock. If the browser refuses to let tabs share, every tab is a leader. */
  join() {
    try {
      this.channel = new this.world.BroadcastChannel(this.name);
    } catch {
      this.lead();
      return;
    }
    this.channel.onmessage = ({ data }) => {
      if (data.state) this.clear("deadline");
      this.hooks.hear(data);
    };
    this.enqueue();
  }
  enqueue() {
    this.aborter = new this.world.AbortController();
    this.request({ signal: this.aborter.signal });
    this.ask("status");
  }
  async request(options) {
    const number = ++this.latest;
    try {
      await this.world.navigator.locks.request(
        this.name,
        options,
        () => number === this.latest ? this.hold() : void 0
      );
    } catch {
      if (number !== this.latest) return;
      if (this.leading) {
        this.leading = false;
        this.hooks.follow();
        if (number === this.latest) this.enqueue();
      } else {
        this.lead();
      }
    }
  }
  hold() {
    const held = new Promise((release) => {
      this.release = release;
    });
    this.lead();
    return held;
  }
  lead() {
    this.leading = true;
    this.clear("deadline");
    this.clear("next");
    this.hooks.lead();
  }
  /**
   * Asks the leader for its `status`, to `wake` the connection, to renew the `grant`, or to mark all as `read`.
   * It answers each. `more` goes along.
   */
  ask(what, more) {
    if (this.leading) return;
    this.post({ ask: what, ...more });
    this.clear("next");
    this.next = this.world.setTimeout(() => this.ask("status"), ASK_INTERVAL);
    if (this.visible()) this.deadline ?? (this.deadline = this.world.setTimeout(() => this.takeOver(), ANSWER_TIMEOUT));
  }
  takeOver() {
    this.deadline = void 0;
    if (this.leading || !this.visible()) return;
    this.request({ steal: true });
  }
  visible() {
    return this.world.document?.visibilityState === "visible";
  }
  post(said) {
    this.channel?.postMessage(said);
  }
  clear(timer) {
    this.world.clearTimeout(this[timer]);
    this[timer] = void 0;
  }
  /** Leaves for good. If this tab is the leader, another one takes over. */
  leave() {
    this.latest++;
    this.leading = true;
    this.clear("deadline");
    this.clear("next");
    this.aborter?.abort();
    this.release?.();
    this.channel?.close();
    this.channel = void 0;
  }
};

// src/chat.js
var TABS_VERSION = 5;
var EVENT_NAME = /^[a-z0-9_.-]{1,32}$/;
var EVENT_BYTES = 1024;
var CONVERSATION = /^[A-Za-z0-9._:@-]{1,64}$/;
var Chat = class {
  constructor(options, world) {
    this.world = world;
    this.state = "connecting";
    this.presence = {};
    this.reads = new Reads(world, (conversation) => this.sendReadOf(conversation));
    this.events = new Events(world);
    try {
      this.begin(options);
    } catch (error) {
      this.state = "closed";
      Promise.resolve().then(() => {
        this.events.emit("state", "closed");
        this.events.fail(error);
      });
    }
  }
  begin({ url, token, grant, worker, name = "default", share = true }) {
    const { world } = this;
    if (typeof token !== "function" && (typeof token !== "string" || !token.trim())) {
      throw new TypeError("token must be a string or a function that returns one");
    }
    if (grant !== void 0 && typeof grant !== "function" && typeof grant !== "string") {
      throw new TypeError("grant must be a string or a function that returns one");
    }
    this.address = addressOf(world, url);
    this.name = String(name);
    this.share = share && Tabs.possible(world);
    this.events.on("unread", (count, by, more) => {
      Object.assign(this, { unread: count, by, more });
      this.notifications.counted(count);
    });
    this.notifications = new Notifications(world, this.address, worker, {
      send: (text) => this.sendText(text),
      user: () => this.user,
      error: (error) => this.report(error)
    });
    if (grant) {
      this.grant = new Grant(world, grant, {
        send: (text) => this.connection.send(text),
        error: (error) => this.report(error)
      });
    }
    this.connection = new Connection(world, this.address, token, this.hooks());
    this.unlisten = listen(world, {
      wake: () => {
        if (this.tabs && !this.tabs.leading) this.tabs.ask("wake");
        else this.connection.wake();
      },
      leave: () => {
        this.acks?.flush();
        this.reads.flush(true);
      }
    });
    this.connection.start();
  }
  hooks() {
    return {
      admit: (token) => this.admit(token),
      state: (state) => this.changed(state),
      frame: (frame, socket) => {
        this.tabs?.post({ frame });
        this.take(frame, socket);
      },
      error: (error) => this.report(error),
      giveUp: (error) => this.giveUp(error)
    };
  }
  /** Takes a frame, of this tab's connection or of the leader's. */
  take(frame, socket) {
    const { event, value } = frame;
    if (event === "grant") {
      if (value.until) {
        this.presence = {};
        this.grant?.accepted();
      } else if (socket) {
        if (this.grant) this.grant.refused(value.error);
        else this.report(new Error(`no grant: ${value.error}`));
      }
    } else if (event === "presence") {
      Object.assign(this.presence, value);
      this.events.emit("presence", value);
    } else if (event === "event" || event === "delivered") {
      this.events.emit(event, value);
    } else if (event === "push") {
      this.notifications.answer(value);
    } else if (event === "recall") {
      this.inbox.forget(value);
      this.events.emit("recall", value);
    } else {
      this.inbox.receive(frame, socket);
    }
  }
  /** Reports an error in all tabs. */
  report(error) {
    this.tabs?.post({ error: error?.message ?? String(error) });
    this.events.fail(error);
  }
  on(event, handler) {
    const off = this.events.on(event, handler);
    if (event === "message") Promise.resolve().then(() => this.inbox?.run());
    return off;
  }
  markRead(conversation) {
    if (conversation !== void 0 && !CONVERSATION.test(conversation)) {
      throw new TypeError(`chatpush has no conversation '${conversation}': it has 1 to 64 of A-Z, a-z, 0-9 and . _ : @ -`);
    }
    if (this.state === "closed") return;
    if (conversation === void 0) {
      this.reading = true;
      this.sendRead();
      this.notifications.counted(0);
    } else {
      this.markReadOf(String(conversation));
    }
  }
  /** Marks a conversation that was read at this time, unless that is too long ago. */
  markReadOf(conversation, time) {
    if (!this.reads.add(conversation, time)) return;
    if (this.tabs && !this.tabs.leading) this.askToRead(conversation);
    else this.reads.flush();
  }
  /** Asks the leader, which may be frozen: if it does not answer, this tab takes over. */
  askToRead(conversation, at = this.world.Date.now()) {
    this.tabs.ask("status", { readOf: conversation, at });
  }
  sendReadOf(conversation) {
    const sent = this.connection.send(JSON.stringify({ read: { conversation } }));
    if (sent) this.tabs?.post({ haveRead: conversation });
    return sent;
  }
  event(to, name, value = null) {
    if (typeof name !== "string" || !EVENT_NAME.test(name)) {
      throw new TypeError(`chatpush cannot send an event '${name}': a name has 1 to 32 of a-z, 0-9, _, . and -`);
    }
    const json = JSON.stringify({ to, event: name, value });
    if (new TextEncoder().encode(JSON.stringify(value)).length > EVENT_BYTES) {
      throw new TypeError(`the value of an event must have at most ${EVENT_BYTES} bytes`);
    }
    if (this.state !== "closed") this.sendText(json);
  }
  /** Sends a frame over the connection, of this tab or of the leader. */
  sendText(json) {
    if (this.tabs && !this.tabs.leading) this.tabs.post({ event: json });
    else this.connection.send(json);
  }
  /** Switches notifications on or off. A chat that is closed cannot tell the daemon. */
  async notify(what) {
    if (this.state === "closed") throw new Error("this chat is closed");
    await this.notifications[what]();
  }
  renewGrant() {
    if (this.state !== "open") return;
    if (this.tabs && !this.tabs.leading) this.tabs.ask("grant");
    else this.grant?.begin();
  }
  close() {
    this.inbox?.close();
    this.end();
  }
  /**
   * Whether to connect with this token. The first token that names a user decides the user, and so which tabs
   * can share. A token without a user is passed on for the daemon to refuse: it may be a temporary error
   * text.
   */
  admit(token) {
    const user = userOf(this.world, token);
    if (!this.user && (user || this.user === void 0)) {
      this.user = user;
      const scope = [this.name, user].map(encodeURIComponent).join(":");
      this.handled = new Handled(this.world, `chatpush:handled:${scope}`);
      this.acks = new Acks(this.world, this.handled, this.connection);
      this.inbox = new Inbox(this.events, this.handled, (...settled) => this.settle(...settled));
      if (this.share && user) return this.join(token, scope);
    } else if (user && user !== this.user) {
      this.giveUp(new Error("the token is for another user than before: close this chat and connect again"));
      return false;
    }
    return true;
  }
  /** Requests the lock. If this tab gets it at once, the token is used to connect. */
  join(token, scope) {
    this.connection.stop();
    this.connection.keep(token);
    this.tabs = new Tabs(this.world, `chatpush:${TABS_VERSION}:${scope}:${this.address.href}`, {
      lead: () => this.connection.start(),
      follow: () => {
        this.connection.stop();
        this.grant?.end();
        this.acks.flush();
      },
      hear: (said) => this.tabs.leading ? this.answer(said) : this.follow(said)
    });
    this.tabs.join();
    return false;
  }
  /** Handles a message from a follower; this tab is the leader. */
  answer({ ask, handled, event, readOf, at }) {
    if (readOf) this.markReadOf(readOf, at);
    if (event) this.connection.send(event);
    if (handled) this.inbox.handledElsewhere(handled);
    if (ask === "read") this.markRead();
    if (ask === "wake") this.connection.wake();
    if (ask === "grant") this.renewGrant();
    if (ask) this.tell();
  }
  /** Handles a message from the leader; this tab is a follower. */
  follow({ frame, state, unread, by, more, presence, error, read: read2, haveRead }) {
    if (frame) this.take(frame);
    if (error) this.events.fail(new Error(error));
    if (read2) this.reading = false;
    this.reads.remove(haveRead);
    if (unread !== void 0 && !this.knows(unread, by, more)) this.events.emit("unread", ...counted(unread, by, more));
    if (presence) this.catchUp(presence);
    if (!state) return;
    if (state === "open" && state !== this.state) this.sendReads();
    this.become(state);
  }
  /** The state of this tab's connection, and so of all tabs, has changed. */
  changed(state) {
    if (state === "open") {
      this.sendReads();
      this.grant?.begin();
    } else {
      this.grant?.end();
    }
    this.become(state);
    this.tell();
  }
  tell() {
    const { state, unread, by, more, presence } = this;
    if (this.tabs?.leading) this.tabs.post({ state, unread, by, more, presence });
  }
  /** Whether this is the last unread counter that this tab had. The daemon sorts the names in it. */
  knows(...unread) {
    return JSON.stringify(unread) === JSON.stringify([this.unread, this.by, this.more]);
  }
  /** Learns from the leader of the peers that came before this tab was there. */
  catchUp(presence) {
    const news = Object.entries(presence).filter(([user, online]) => this.presence[user] !== online);
    if (!news.length) return;
    this.presence = { ...presence };
    this.events.emit("presence", Object.fromEntries(news));
  }
  become(state) {
    if (state === this.state || this.state === "closed") return;
    this.state = state;
    this.notifications.changed(state, !this.tabs || this.tabs.leading);
    this.events.emit("state", state);
  }
  /** Sends all that was read before the connection was there, or the leader. */
  sendReads() {
    if (this.tabs && !this.tabs.leading) this.reads.fresh().forEach(([name, time]) => this.askToRead(name, time));
    else this.reads.flush();
    this.sendRead();
  }
  sendRead() {
    if (!this.reading) return;
    if (this.tabs && !this.tabs.leading) {
      this.tabs.ask("read");
    } else if (this.connection.send('{"read":true}')) {
      this.reading = false;
      this.tabs?.post({ read: true });
    }
  }
  /** A message was handled. The leader acks it, unless it is a copy; a follower reports it to the leader. */
  settle(key, socket, isCopy2) {
    if (!socket) this.tabs?.post({ handled: key });
    else if (isCopy2) this.acks.flushSoon();
    else this.acks.add(key, socket);
  }
  giveUp(error) {
    this.end();
    this.events.fail(error);
  }
  end() {
    if (this.state === "closed") return;
    this.acks?.flush();
    this.reads.flush(true);
    this.connection.stop();
    this.grant?.end();
    this.tabs?.leave();
    this.notifications.end();
    this.unlisten();
    this.become("closed");
  }
};

// src/stub.js
function adopt(world, connect2) {
  for (const { options, chat, calls } of world.ChatPush?.queue?.splice(0) ?? []) {
    const real = connect2(options);
    Object.defineProperties(chat, Object.getOwnPropertyDescriptors(real));
    for (const call of calls) {
      const [name, ...args] = call.args;
      try {
        call.off = real[name](...args);
        call.resolve?.(call.off);
      } catch (error) {
        world.console.error("chatpush:", error);
      }
    }
  }
}

// src/chatpush.js
function connect(options, world = globalThis) {
  const chat = new Chat(options ?? {}, world);
  return {
    on: (event, handler) => chat.on(event, handler),
    markRead: (conversation) => chat.markRead(conversation),
    event: (to, name, value) => chat.event(to, name, value),
    renewGrant: () => chat.renewGrant(),
    enableNotifications: () => chat.notify("enable"),
    disableNotifications: () => chat.notify("disable"),
    close: () => chat.close(),
    get state() {
      return chat.state;
    },
    get notifications() {
      return chat.notifications?.state ?? "unsupported";
    }
  };
}
adopt(globalThis, connect);
export {
  connect
};
