/** Most ids in one ack. */
const IDS = 1000;

/** Most bytes of ids in one ack. The daemon takes 64 KiB, which a thousand of the longest ids would exceed. */
const BYTES = 60_000;

/**
 * The acks that have not been sent yet.
 *
 * Everything that is acked within one task goes out together, after the ids have been saved: were it the other way
 * round, a page that is closed between the two would handle those messages again.
 */
export class Acks {
  constructor(world, handled, connection) {
    this.world = world;
    this.handled = handled;
    this.connection = connection;
    this.waiting = [];
  }

  /** Acks a message on the socket it came from. The daemon knows it by that socket only. */
  add(id, socket) {
    this.waiting.push({ id, socket });
    this.timer ??= this.world.setTimeout(() => this.flush(), 0);
  }

  /** Saves and sends what waits, without waiting for the end of the task. */
  flush() {
    this.world.clearTimeout(this.timer);
    this.timer = undefined;
    const waiting = this.waiting;
    this.waiting = [];
    this.handled.save();
    let ids = [];
    let bytes = 0;
    for (const { id, socket } of waiting) {
      // What came on a connection that is gone comes again on the next one, and is acked there.
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
}
