import { handshake, isToken } from './address.js';
import { Heartbeat } from './heartbeat.js';
import { read } from './frame.js';
import { Outage } from './outage.js';
import { Retry } from './retry.js';

/** The timeout for token and handshake together, in milliseconds. */
const CONNECT_TIMEOUT = 30_000;

/** How long a fetched token is kept for the next attempt, in milliseconds. */
const SPARE = 10_000;

/**
 * One connection at a time. When it ends, a new one is opened.
 *
 * The owner's hooks: `admit(token)` returns whether to connect with this token; `state(state)`,
 * `frame(frame, socket)`, `error(error)`; and `giveUp(error)` when connecting again cannot help.
 */
export class Connection {
  constructor(world, address, token, hooks) {
    Object.assign(this, { world, address, token, hooks });
    this.retry = new Retry(world);
    this.outage = new Outage(world, address, {
      unreachable: () => {
        this.unreachable = true;
        hooks.state('unreachable');
      },
      error: hooks.error,
      retry: () => this.start(),
    });
    // Each attempt has a number. Results of an earlier attempt are ignored.
    this.round = 0;
  }

  /** Connects now and cancels any attempt or connection before. */
  async start() {
    this.cancel();
    this.outage.begin();
    const { round, hooks, world } = this;
    this.timer = world.setTimeout(() => this.ended(), CONNECT_TIMEOUT);
    this.state('connecting');
    let token;
    try {
      token = await this.fetchToken(round);
    } catch (error) {
      if (round !== this.round) return;
      this.outage.failed(error);
      hooks.error(error);
      // The error handler may have closed the chat.
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
    this.heartbeat = undefined;
    const { socket } = this;
    this.socket = undefined;
    this.opening = false;
    if (!socket) return;
    // A dead connection reports its end minutes later. That event must not reach anyone.
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
    this.spare = undefined;
    if (spare && this.world.performance.now() < spare.until) return spare.token;
    // `connect()` must have returned before a function of the application is called.
    await undefined;
    if (round !== this.round) return '';
    const fetched = typeof token === 'function' ? await token() : token;
    const text = typeof fetched === 'string' ? fetched.trim() : '';
    // An error page or a JSON answer is reported here; the daemon would only refuse it.
    if (!isToken(text)) {
      throw new Error('the token function returned no token (a string like aaa.bbb.ccc)');
    }
    return text;
  }

  open(token) {
    const { world, hooks } = this;
    let socket;
    try {
      socket = new world.WebSocket(...handshake(this.address, token, this.outage.inQuery));
    } catch (error) {
      // The browser forbids this URL, and would forbid it again.
      hooks.giveUp(error);
      return;
    }
    this.socket = socket;
    this.opening = true;
    this.outage.tried(token);
    let opened;
    const lived = () => (opened === undefined ? 0 : world.performance.now() - opened);
    socket.onopen = () => {
      world.clearTimeout(this.timer);
      opened = world.performance.now();
      this.heartbeat = new Heartbeat(world, (text) => this.send(text), () => this.ended(undefined, lived()));
      this.opening = false;
      this.outage.over();
      this.unreachable = false;
      hooks.state('open');
    };
    socket.onmessage = ({ data }) => {
      const frame = read(data);
      const isPong = frame?.event === 'pong';
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
    // An error handler may have closed the chat, or the next attempt has begun.
    if (round !== this.round) return;
    const delay = this.retry.after(code, lived);
    if (delay === undefined) {
      const text = `the server has closed the connection for good: ${code} ${reason ?? ''}`.trim();
      this.hooks.giveUp(Object.assign(new Error(text), { code }));
    } else if (delay === 0 && code === 4401) {
      this.start();
    } else {
      this.waiting = true;
      this.timer = this.world.setTimeout(() => this.start(), delay);
      this.state('waiting');
    }
  }
}
