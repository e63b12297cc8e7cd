/** The maximum number of ids in one ack. */
const IDS = 1000;

/** The maximum bytes of ids in one ack. The daemon's limit is 64 KiB; a thousand long ids would exceed it. */
const BYTES = 60_000;

/**
 * The acks that have not been sent yet.
 *
 * All acks of one task are sent together, after their ids were saved. If they were sent first, a page that
 * closes between the two steps would have lost the ids, and a message that came again would be handled twice.
 */
export class Acks {
  constructor(world, handled, connection) {
    this.world = world;
    this.handled = handled;
    this.connection = connection;
    this.waiting = [];
  }

  /** Queues an ack for the socket the message came from: the daemon accepts it on that connection only. */
  add(id, socket) {
    this.waiting.push({ id, socket });
    this.flushSoon();
  }

  /** Saves what was handled, and sends the queued acks, after this task. */
  flushSoon() {
    this.timer ??= this.world.setTimeout(() => this.flush(), 0);
  }

  /** Saves and sends the queued acks now. */
  flush() {
    this.world.clearTimeout(this.timer);
    this.timer = undefined;
    const waiting = this.waiting;
    this.waiting = [];
    this.handled.save();
    let ids = [];
    let bytes = 0;
    for (const { id, socket } of waiting) {
      // A message from a closed connection comes again on the next one and is acked there.
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
