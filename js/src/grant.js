import { claimsOf, isToken } from './address.js';

/** When in its lifetime a grant is fetched again. */
const RENEWED_AT = 0.9;

/** The longest wait for that, in milliseconds. Timers of browsers are exact up to 24 days only. */
const LONGEST = 86_400_000;

/** The first wait after a failure, and the longest, in milliseconds. */
const RETRY = 5_000;
const RETRY_CAP = 60_000;

/**
 * Sends the grant on every connection. If the page has a function for it, a new one is fetched before it
 * expires, and after a while when none was to be had or it was refused.
 *
 * The owner's hooks: `send(text)` and `error(error)`.
 */
export class Grant {
  /** @param {string|(() => string|Promise<string>)} grant */
  constructor(world, grant, hooks) {
    Object.assign(this, { world, grant, hooks });
    // Each connection, and each fetch, has a number. Results of earlier ones are ignored.
    this.round = 0;
    this.failures = 0;
  }

  /** The connection is open. */
  async begin() {
    this.end();
    const { round, grant, world } = this;
    try {
      const fetched = typeof grant === 'function' ? await grant() : grant;
      if (round !== this.round) return;
      const text = typeof fetched === 'string' ? fetched.trim() : '';
      if (!isToken(text)) throw new Error('the grant function returned no grant (a string like aaa.bbb.ccc)');
      this.hooks.send(JSON.stringify({ grant: text }));
      const { iat, exp } = claimsOf(world, text);
      this.renewAfter((exp - iat) * 1_000 * RENEWED_AT);
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
    // A page that slept renews an expired grant, without a word.
    if (this.failures > 0 || !this.canRenew()) this.hooks.error(new Error(`no grant: ${reason}`));
    if (round === this.round) this.retry();
  }

  canRenew() {
    return typeof this.grant === 'function';
  }

  /** The first time at once, because that may be an expired grant. */
  retry() {
    this.renewAfter(this.failures === 0 ? 0 : Math.min(RETRY_CAP, RETRY * 2 ** (this.failures - 1)));
    this.failures++;
  }

  renewAfter(delay) {
    this.world.clearTimeout(this.timer);
    if (!this.canRenew() || !Number.isFinite(delay)) return;
    this.timer = this.world.setTimeout(() => this.begin(), Math.min(LONGEST, delay));
  }
}
