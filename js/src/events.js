/** The event handlers, and the reporting of handlers that fail. */
export class Events {
  constructor(world) {
    this.world = world;
    this.handlers = new Map(['message', 'unread', 'presence', 'event', 'recall', 'delivered', 'state', 'error'].map((event) => [event, []]));
  }

  /**
   * Adds a handler. The same function may be added more than once.
   * @returns {() => void} Removes this handler; calling it again does nothing.
   * @throws {TypeError} If the event does not exist or the handler is not a function.
   */
  on(event, handler) {
    if (!this.handlers.has(event)) throw new TypeError(`chatpush has no event '${event}'`);
    if (typeof handler !== 'function') throw new TypeError('a handler must be a function');
    const entry = { handler };
    this.handlers.get(event).push(entry);
    return () => {
      this.handlers.set(event, this.handlers.get(event).filter((other) => other !== entry));
    };
  }

  /** Whether the event has a handler. */
  has(event) {
    return this.handlers.get(event).length > 0;
  }

  /**
   * Calls every handler before it returns, in the order they were added. One that throws does not stop the
   * others.
   * @returns {Promise<boolean>} Resolves when all promises of the handlers are settled: true if none failed.
   */
  async emit(event, ...values) {
    // Handlers that are added or removed meanwhile count from the next event on.
    const calls = [...this.handlers.get(event)].map(
      ({ handler }) => new Promise((resolve) => resolve(handler(...values))),
    );
    const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
    for (const { reason } of failed) this.fail(reason);
    return failed.length === 0;
  }

  /** Emits an error. Without a handler it is written to the console. */
  fail(reason) {
    const error = reason instanceof Error ? reason : new Error(String(reason));
    const { console } = this.world;
    if (!this.has('error')) console.error('chatpush:', error);
    for (const { handler } of [...this.handlers.get('error')]) {
      try {
        handler(error);
      } catch (broken) {
        console.error('chatpush: an error handler failed:', broken);
      }
    }
  }
}
