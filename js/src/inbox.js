/** How many messages wait for a page that has no message handler yet. Beyond that the oldest are dropped. */
const HELD = 1024;

/** What the handlers of an event get: its value, and of an unread counter what conversations count. */
export function counted(value, by, more) {
  if (!by) return [value];
  return more ? [value, by, more] : [value, by];
}

/**
 * By what a frame is known. A copy of what this user has sent is not the message itself, and one id may have
 * several copies: each names other receivers, so its first one tells them apart. No id has a line break.
 */
const keyOf = ({ id, value }) => (isCopy(value) ? `${id}\n${[value.to].flat()[0]}` : id);

const isCopy = (message) => message?.to !== undefined;

/**
 * Hands received messages to the handlers, strictly one after the other.
 *
 * Unread counters do not queue: only the latest value matters, and a slow message handler must not delay it.
 */
export class Inbox {
  /**
   * @param settle Called with key and socket of each message that is handled now or was handled before, and
   *   whether it is only a copy.
   */
  constructor(events, handled, settle) {
    this.events = events;
    this.handled = handled;
    this.settle = settle;
    this.queue = [];
    this.running = false;
    this.closed = false;
  }

  /** Takes a frame. The socket is `undefined` if another tab received it. */
  receive(frame, socket) {
    if (this.closed) return;
    const key = keyOf(frame);
    if (this.handled.has(key)) {
      this.settle(key, socket, isCopy(frame.value));
    } else if (frame.event === 'unread') {
      this.handle(frame, socket);
    } else {
      this.queue.push({ frame, socket });
      // A dropped message was not acked. If it has an id, it comes again on a later connection.
      if (this.queue.length > HELD && !this.events.has('message')) this.queue.shift();
      this.run();
    }
  }

  /** Works through the queue. Without a handler messages stay there: an ack would lose them. */
  async run() {
    if (this.running) return;
    this.running = true;
    while (this.queue.length && this.events.has('message')) {
      const { frame, socket } = this.queue.shift();
      await this.handle(frame, socket);
    }
    this.running = false;
  }

  async handle(frame, socket) {
    const { event, id, value, by, more } = frame;
    const key = keyOf(frame);
    // The same message may have come twice, on two connections, while it was queued.
    const done = this.handled.has(key) || (await this.events.emit(event, ...counted(value, by, more)));
    if (!done || id === undefined) return;
    if (!this.handled.has(key)) this.handled.add(key);
    this.settle(key, socket, isCopy(value));
  }

  /**
   * Another tab has handled a message. Without a message handler of its own, this page counts it as handled.
   */
  handledElsewhere(key) {
    if (this.events.has('message')) return;
    if (this.queue.some(({ frame }) => keyOf(frame) === key)) this.drop(key);
  }

  /**
   * Messages were taken back. Those that wait are not handed out, nor is one that comes later, from a page of
   * stored messages that was read before.
   */
  forget(ids) {
    for (const id of ids) this.drop(id);
  }

  /** Counts a message as handled, and takes it out of the queue. */
  drop(key) {
    if (!this.handled.has(key)) this.handled.add(key);
    const [dropped, kept] = [[], []];
    for (const queued of this.queue) (keyOf(queued.frame) === key ? dropped : kept).push(queued);
    this.queue = kept;
    for (const { frame, socket } of dropped) this.settle(key, socket, isCopy(frame.value));
  }

  /** Drops the queue. The message that is being handled is finished. */
  close() {
    this.closed = true;
    this.queue = [];
  }
}
