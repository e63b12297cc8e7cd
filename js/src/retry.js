/** The bound of the first wait and the bound of all waits, in milliseconds. */
const BASE = 250;
const CAP = 30_000;

/** The bound of the wait after the daemon has restarted, in milliseconds: its clients must not come all at once. */
const RESTART = 1_000;

/** A connection that lived this long, in milliseconds, was a good one. */
const GOOD = 10_000;

/** Close codes after which the same would happen again: binary frame, message too big, forbidden. */
const FINAL = [1003, 1009, 4403];

/** When to connect again. */
export class Retry {
  constructor(world) {
    this.world = world;
    this.good();
  }

  good() {
    this.failures = 0;
    this.renewed = false;
  }

  /**
   * The wait after a connection or an attempt that has ended.
   * @param {number} [code] The close code, if there was one.
   * @param {number} [lived] How long the connection was open, in milliseconds; 0 if it never was.
   * @returns {number|undefined} Milliseconds; undefined: do not connect again.
   */
  after(code, lived = 0) {
    if (lived >= GOOD) this.good();
    if (FINAL.includes(code)) return undefined;
    const random = this.world.Math.random();
    if (code === 1012) return random * RESTART;
    // A token that has expired is replaced at once. If the new one does not help, that is a failure like any other.
    if (code === 4401 && !this.renewed) {
      this.renewed = true;
      return 0;
    }
    // Any wait up to the bound is as likely as any other, so that many clients spread evenly.
    return random * Math.min(CAP, BASE * 2 ** this.failures++);
  }
}
