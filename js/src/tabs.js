/** How often a follower that can be seen asks whether the leader is there, in milliseconds. */
const ASK = 25_000;

/** How long the answer may take, in milliseconds. */
const PATIENCE = 5_000;

/**
 * The tabs of one user: the one that holds the lock leads and has the connection, the others follow.
 *
 * A leader that is closed or crashes loses the lock by itself. One that was put to sleep keeps it and hears nothing,
 * as phones do it to pages in the background, so a follower that the user looks at takes the lock from a leader that
 * does not answer. The leader learns of that when it wakes up, and follows.
 *
 * The owner's hooks: `lead()`, `follow()` and `hear(said)`.
 */
export class Tabs {
  constructor(world, name, hooks) {
    Object.assign(this, { world, name, hooks });
    this.leading = false;
    // Requests for the lock are numbered; what becomes of one that was replaced is of no interest.
    this.turn = 0;
  }

  /** Whether this browser, in this context, has what is needed. */
  static possible(world) {
    return Boolean(world.BroadcastChannel && world.AbortController && world.navigator?.locks);
  }

  /** Lines up for the lead. Where the browser has tabs share nothing after all, every tab leads. */
  join() {
    try {
      this.channel = new this.world.BroadcastChannel(this.name);
    } catch {
      this.lead();
      return;
    }
    this.channel.onmessage = ({ data }) => {
      if (data.state) this.clear('deadline');
      this.hooks.hear(data);
    };
    this.enqueue();
  }

  enqueue() {
    this.aborter = new this.world.AbortController();
    this.request({ signal: this.aborter.signal });
    this.ask('status');
  }

  async request(options) {
    const turn = ++this.turn;
    try {
      await this.world.navigator.locks.request(this.name, options, () =>
        turn === this.turn ? this.hold() : undefined,
      );
    } catch {
      if (turn !== this.turn) return;
      if (this.leading) {
        this.leading = false;
        this.hooks.follow();
        if (turn === this.turn) this.enqueue();
      } else {
        // The browser has locks and gives none here.
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
    this.clear('deadline');
    this.clear('next');
    this.hooks.lead();
  }

  /** Asks the leader for `status`, or to `wake` up, or to mark everything as `read`; each is answered. */
  ask(what) {
    if (this.leading) return;
    this.post({ ask: what });
    this.clear('next');
    this.next = this.world.setTimeout(() => this.ask('status'), ASK);
    if (this.visible()) this.deadline ??= this.world.setTimeout(() => this.takeOver(), PATIENCE);
  }

  takeOver() {
    this.deadline = undefined;
    if (this.leading || !this.visible()) return;
    // The request that still waits in line comes to nothing: its number is no longer the latest.
    this.request({ steal: true });
  }

  visible() {
    return this.world.document?.visibilityState === 'visible';
  }

  post(said) {
    this.channel?.postMessage(said);
  }

  clear(timer) {
    this.world.clearTimeout(this[timer]);
    this[timer] = undefined;
  }

  /** Leaves for good; if this tab leads, another one takes over. */
  leave() {
    this.turn++;
    this.leading = true;
    this.clear('deadline');
    this.clear('next');
    this.aborter?.abort();
    this.release?.();
    this.channel?.close();
    this.channel = undefined;
  }
}
