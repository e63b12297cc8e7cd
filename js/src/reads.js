/**
 * The least time between two reads of conversations that are sent, in milliseconds. The daemon takes 64 of a user in a
 * second.
 */
const INTERVAL = 20;

/**
 * How long a read waits for a connection or another tab, in milliseconds. Sent later, it would also clear messages that
 * came since and were not read.
 */
const LIFETIME = 10_000;

/** Conversations that were read, until that is sent. */
export class Reads {
  /** @param send Sends the read of a conversation, and returns whether it could. */
  constructor(world, send) {
    Object.assign(this, { world, send });
    /** When each was read. */
    this.waiting = new Map();
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
      if ((this.timer && !all) || !this.send(conversation)) return;
      this.remove(conversation);
      this.timer ??= this.world.setTimeout(() => {
        this.timer = undefined;
        this.flush();
      }, INTERVAL);
    }
  }
}
