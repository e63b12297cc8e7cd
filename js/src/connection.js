import { withToken } from './address.js';
import { Heartbeat } from './heartbeat.js';
import { read } from './frame.js';
import { Retry } from './retry.js';

/** How long a token and a handshake may take together, in milliseconds. */
const ATTEMPT = 30_000;

/** What a token is made of (RFC 6750 section 2.1). */
const TOKEN = /^[\w.~+/-]+=*$/;

/** How long a token that was fetched to learn the user may still be used to connect, in milliseconds. */
const SPARE = 10_000;

/**
 * One connection at a time, and a new one after each.
 *
 * The owner's hooks: `admit(token)` says whether to go on with this token, `state(state)`, `frame(frame, socket)`,
 * `error(error)`, and `giveUp(error)` when connecting again is of no use.
 */
export class Connection {
  constructor(world, address, token, hooks) {
    Object.assign(this, { world, address, token, hooks });
    this.retry = new Retry(world);
    // What is under way belongs to a round; whatever comes back to a later round is ignored.
    this.round = 0;
  }

  /** Connects now, whatever was under way. */
  async start() {
    this.stop();
    const { round, hooks, world } = this;
    this.timer = world.setTimeout(() => this.ended(), ATTEMPT);
    hooks.state('connecting');
    let token;
    try {
      token = await this.fetchToken(round);
    } catch (error) {
      if (round !== this.round) return;
      hooks.error(error);
      // The handler may have closed everything.
      if (round === this.round) this.ended();
      return;
    }
    if (round === this.round && hooks.admit(token)) this.open(token);
  }

  /** Ends what is under way without a word to the owner. */
  stop() {
    this.round++;
    this.waiting = false;
    this.world.clearTimeout(this.timer);
    this.heartbeat?.stop();
    this.heartbeat = undefined;
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    // A dead link takes minutes to report its end; nobody may hear of it then.
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** The network or the user is back: connects if that was to happen later, and otherwise looks at the link. */
  wake() {
    if (this.waiting) this.start();
    else this.heartbeat?.beat();
  }

  /** Sends a text. False: there is no open connection, and nothing was sent. */
  send(text) {
    if (this.socket?.readyState !== 1) return false;
    this.socket.send(text);
    return true;
  }

  /** Keeps a token for an attempt that follows soon. */
  keep(token) {
    this.spare = { token, until: this.world.performance.now() + SPARE };
  }

  async fetchToken(round) {
    const { spare, token } = this;
    this.spare = undefined;
    if (spare && this.world.performance.now() < spare.until) return spare.token;
    // An application's function may be called only after whoever started this has gone on.
    await undefined;
    if (round !== this.round) return '';
    const fetched = typeof token === 'function' ? await token() : token;
    const text = typeof fetched === 'string' ? fetched.trim() : '';
    // An error page or a JSON answer that was taken for a token is better named here than refused by the daemon.
    if (!TOKEN.test(text)) throw new Error('the token function gave no token, which is a text like aaa.bbb.ccc');
    return text;
  }

  open(token) {
    const { world, hooks } = this;
    let socket;
    try {
      socket = new world.WebSocket(withToken(this.address, token), 'chatpush.v1');
    } catch (error) {
      // The browser forbids this address, and will do so again.
      hooks.giveUp(error);
      return;
    }
    this.socket = socket;
    let opened;
    const lived = () => (opened === undefined ? 0 : world.performance.now() - opened);
    socket.onopen = () => {
      world.clearTimeout(this.timer);
      opened = world.performance.now();
      this.heartbeat = new Heartbeat(world, (text) => this.send(text), () => this.ended(undefined, lived()));
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
    this.stop();
    const delay = this.retry.after(code, lived);
    if (delay === undefined) {
      const text = `the server has closed the connection for good: ${code} ${reason ?? ''}`.trim();
      this.hooks.giveUp(Object.assign(new Error(text), { code }));
    } else if (delay === 0 && code === 4401) {
      this.start();
    } else {
      this.waiting = true;
      this.timer = this.world.setTimeout(() => this.start(), delay);
      this.hooks.state('waiting');
    }
  }
}
