/** Messages that are held for a page without a handler for messages; beyond it the oldest are let go. */
const HELD = 1024;

/**
 * Hands what was received to the handlers, messages strictly one after the other.
 *
 * Unread counters do not wait in that line: only the latest is true, and a slow message must not hold it up.
 */
export class Inbox {
  /** @param settle Called with the id and the socket of each message that was handled, now or before. */
  constructor(events, handled, settle) {
    this.events = events;
    this.handled = handled;
    this.settle = settle;
    this.queue = [];
    this.running = false;
    this.closed = false;
  }

  /** Takes a frame. A socket of `undefined` says that another tab has received it. */
  receive(frame, socket) {
    if (this.closed) return;
    if (this.handled.has(frame.id)) {
      this.settle(frame.id, socket);
    } else if (frame.event === 'unread') {
      this.handle(frame, socket);
    } else {
      this.queue.push({ frame, socket });
      // What is let go was not acked, and comes again on a later connection if it has an id.
      if (this.queue.length > HELD && !this.events.has('message')) this.queue.shift();
      this.run();
    }
  }

  /** Works through the queue. It rests while nobody handles messages, because an ack would lose them. */
  async run() {
    if (this.running) return;
    this.running = true;
    while (this.queue.length && this.events.has('message')) {
      const { frame, socket } = this.queue.shift();
      await this.handle(frame, socket);
    }
    this.running = false;
  }

  async handle({ event, id, value }, socket) {
    // The same message may have come on two connections while it waited here.
    const done = this.handled.has(id) || (await this.events.emit(event, value));
    if (!done || id === undefined) return;
    if (!this.handled.has(id)) this.handled.add(id);
    this.settle(id, socket);
  }

  /** Another tab has handled a message. That settles it where this page has no handler for messages. */
  handledElsewhere(id) {
    if (this.events.has('message')) return;
    for (const { frame, socket } of this.queue.filter((held) => held.frame.id === id)) {
      if (!this.handled.has(id)) this.handled.add(id);
      this.settle(id, socket);
    }
    this.queue = this.queue.filter((held) => held.frame.id !== id);
  }

  /** Lets go of what waits. What is being handled is finished. */
  close() {
    this.closed = true;
    this.queue = [];
  }
}
