/** The upper bound of the first wait and of all waits, in milliseconds. */
const BASE = 250;
const CAP = 30_000;

/** The upper bound of the wait after close code 1012 (restart), in milliseconds: it spreads the clients. */
const RESTART = 1_000;

/** A connection that was open for this long, in milliseconds, resets the backoff. */
const STABLE = 10_000;

/** Close codes on which reconnecting cannot help: binary frame, message too big, forbidden. */
const FINAL = [1003, 1009, 4403];

/** The backoff: when to connect again. */
export class Retry {
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
    if (FINAL.includes(code)) return undefined;
    const random = this.world.Math.random();
    if (code === 1012) return random * RESTART;
    // An expired token is replaced at once. If the new one is refused too, the usual backoff applies.
    if (code === 4401 && !this.renewed) {
      this.renewed = true;
      return 0;
    }
    // Full jitter: every wait up to the bound is equally likely, so many clients spread evenly.
    return random * Math.min(CAP, BASE * 2 ** this.failures++);
  }
}
