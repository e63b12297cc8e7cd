import { Push } from './push.js';
import { supportOf } from './support.js';
import { CHANGED } from './worker/renew.js';

/** How long it may take, without the time in which the user is asked, in milliseconds. */
const TIMEOUT = 30_000;

/** After this time a subscription is sent again, in milliseconds: the daemon may have dropped it. */
const RENEW = 86_400_000;

/**
 * Notifications for a user who is away. The browser has one subscription for each worker, so for one user only.
 *
 * The owner's hooks: `send(text)` sends a frame over the connection of this tab or another, `user()` gives the
 * user, `error(error)`.
 */
export class Notifications {
  constructor(world, address, worker, hooks) {
    Object.assign(this, { world, hooks });
    this.push = new Push(world, address, worker);
    this.key = `chatpush:push:${this.push.script}`;
    /** What the daemon has not answered yet. */
    this.asked = [];
    this.hear = ({ data }) => data === CHANGED && this.isLeader && this.renew();
    world.navigator?.serviceWorker?.addEventListener?.('message', this.hear);
  }

  /** @returns {'unsupported'|'denied'|'off'|'on'} */
  get state() {
    if (supportOf(this.world).missing) return 'unsupported';
    if (this.world.Notification.permission === 'denied') return 'denied';
    return this.isOn() ? 'on' : 'off';
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
      if (endpoint && this.isOpen) await this.ask({ unpush: endpoint }, 'removed', endpoint);
    });
  }

  /** Subscribes and tells the daemon, unless it was told. */
  async subscribe() {
    const subscription = await this.push.subscribe();
    const { endpoint } = subscription;
    const { user, endpoint: saved, time } = this.stored();
    const now = this.world.Date.now();
    if (user === this.hooks.user() && saved === endpoint && now - time < RENEW) return;
    await this.ask({ push: subscription }, 'saved', endpoint);
    this.store({ user: this.hooks.user(), endpoint, time: now });
  }

  /** Subscribes again, if notifications are on and the subscription has ended or has another key. */
  async renew() {
    const again = async () => this.isOn() && this.subscribe();
    await this.inTurn(again).catch((error) => this.hooks.error(error));
  }

  /** The state of the connection, of this tab or of the leader. */
  changed(state, isLeader) {
    this.isOpen = state === 'open';
    this.isLeader = isLeader;
    if (!this.isOpen) return;
    const now = this.world.Date.now();
    this.asked = this.asked.filter(({ since }) => now - since < TIMEOUT);
    for (const { frame } of this.asked) this.hooks.send(frame);
    // Once a page.
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
      else if (refused === asked.endpoint || refused === '') asked.reject(new Error(`chatpushd refuses: ${reason}`));
      else continue;
      this.asked = this.asked.filter((other) => other !== asked);
    }
  }

  /** One after the other: a page that subscribes again must not undo that the user has disabled it. */
  inTurn(work) {
    const turn = (this.turn ?? Promise.resolve()).then(() => this.within(work()));
    this.turn = turn.catch(() => {});
    return turn;
  }

  within(promise) {
    return new Promise((resolve, reject) => {
      const timer = this.world.setTimeout(() => reject(new Error('no answer within 30 seconds')), TIMEOUT);
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
    this.world.navigator?.serviceWorker?.removeEventListener?.('message', this.hear);
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
      // Without storage notifications are on, but a later page does not know.
    }
  }
}
