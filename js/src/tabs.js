/** How often a visible follower asks whether the leader is there, in milliseconds. */
const ASK_INTERVAL = 25_000;

/** How long the answer may take, in milliseconds. */
const ANSWER_TIMEOUT = 5_000;

/**
 * The tabs of one user. The tab that holds the lock is the leader and has the connection, the others follow.
 *
 * A leader that is closed or crashes loses the lock by itself. A leader that is frozen, as phones do with
 * pages in the background, keeps the lock and answers nothing. Then a visible follower steals the lock. The
 * old leader learns of that when it runs again, and follows.
 *
 * The owner's hooks: `lead()`, `follow()` and `hear(message)`.
 */
export class Tabs {
  constructor(world, name, hooks) {
    Object.assign(this, { world, name, hooks });
    this.leading = false;
    // Requests for the lock are numbered. The results of earlier requests are ignored.
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
    const number = ++this.latest;
    try {
      await this.world.navigator.locks.request(this.name, options, () =>
        number === this.latest ? this.hold() : undefined,
      );
    } catch {
      if (number !== this.latest) return;
      if (this.leading) {
        this.leading = false;
        this.hooks.follow();
        if (number === this.latest) this.enqueue();
      } else {
        // The browser has the Locks API but refuses locks here.
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

  /**
   * Asks the leader for its `status`, to `wake` the connection, to renew the `grant`, or to mark all as `read`.
   * It answers each. `more` goes along.
   */
  ask(what, more) {
    if (this.leading) return;
    this.post({ ask: what, ...more });
    this.clear('next');
    this.next = this.world.setTimeout(() => this.ask('status'), ASK_INTERVAL);
    if (this.visible()) this.deadline ??= this.world.setTimeout(() => this.takeOver(), ANSWER_TIMEOUT);
  }

  takeOver() {
    this.deadline = undefined;
    if (this.leading || !this.visible()) return;
    // This replaces the queued request, whose number is no longer the latest.
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

  /** Leaves for good. If this tab is the leader, another one takes over. */
  leave() {
    this.latest++;
    this.leading = true;
    this.clear('deadline');
    this.clear('next');
    this.aborter?.abort();
    this.release?.();
    this.channel?.close();
    this.channel = undefined;
  }
}
