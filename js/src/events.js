/** Who listens to what, and what becomes of a handler that fails. */
export class Events {
  constructor(world) {
    this.world = world;
    this.handlers = new Map([['message', []], ['unread', []], ['state', []], ['error', []]]);
  }

  /**
   * Adds a handler. The same function may be added more than once.
   * @returns {() => void} Removes this handler; calling it again does nothing.
   * @throws {TypeError} If there is no such event, or the handler is no function.
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

  /** Whether anybody listens. */
  has(event) {
    return this.handlers.get(event).length > 0;
  }

  /**
   * Calls every handler before it returns, in the order they were added, also behind one that throws.
   * @returns {Promise<boolean>} Resolves once every promise the handlers returned is settled: true if none failed.
   */
  async emit(event, value) {
    // A handler may add or remove handlers; that takes effect with the next event.
    const calls = [...this.handlers.get(event)].map(
      ({ handler }) => new Promise((resolve) => resolve(handler(value))),
    );
    const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
    for (const { reason } of failed) this.fail(reason);
    return failed.length === 0;
  }

  /** Emits an error. Without a handler it goes to the console, because nothing may fail unseen. */
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
