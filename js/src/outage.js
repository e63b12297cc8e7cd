import { BLOCKED, reasonOf } from './reason.js';

/** After this time without a connection the daemon counts as unreachable, in milliseconds. */
const UNREACHABLE = 30_000;

/**
 * A time without a connection. It finds out whether a proxy drops the list of subprotocols, and after 30
 * seconds says why nothing connects.
 *
 * The owner's hooks: `unreachable()`, `error(error)`, and `retry()` when the token goes another way.
 */
export class Outage {
  constructor(world, address, hooks) {
    Object.assign(this, { world, address, hooks });
    /** Whether the token goes in the query string. */
    this.inQuery = false;
    // Each outage has a number. Answers that come after its end are ignored.
    this.number = 0;
    this.end();
  }

  /** An attempt begins. */
  begin() {
    this.timer ??= this.world.setTimeout(() => this.report(), UNREACHABLE);
  }

  /** The token of an attempt. */
  tried(token) {
    this.token = token;
  }

  /** No token could be had. */
  failed(error) {
    this.problem = error;
  }

  /** A handshake was refused, or had no answer in time. */
  refused() {
    const { inQuery, works, token } = this;
    // One attempt with the token in the query string is enough, unless that is what has worked.
    if (inQuery && !works) this.inQuery = false;
    if (this.switched) {
      this.blocked = true;
      this.tell(BLOCKED);
    } else if (works === undefined && !this.asked) {
      this.ask(token);
    }
  }

  /** The connection is open. */
  over() {
    this.works = this.inQuery;
    this.end();
  }

  /** Nothing is attempted any more. */
  end() {
    this.number++;
    this.world.clearTimeout(this.timer);
    this.timer = this.token = this.problem = undefined;
    this.asked = this.switched = this.blocked = this.due = false;
  }

  async report() {
    const { number, token, problem } = this;
    this.due = true;
    this.hooks.unreachable();
    // The handler may have closed the chat.
    if (number !== this.number) return;
    if (token === undefined) this.tell(problem?.message ?? 'the token function has returned nothing yet');
    else await this.ask(token);
  }

  /**
   * Asks for the reason. If there is none, the way of the token may be it, and the next attempt uses the other.
   */
  async ask(token) {
    const { number } = this;
    this.asked = true;
    const reason = await reasonOf(this.world, this.address, token);
    if (number !== this.number) return;
    if (reason || this.blocked) {
      this.tell(reason ?? BLOCKED);
    } else if (!this.switched) {
      this.switched = true;
      this.inQuery = !this.inQuery;
      this.hooks.retry();
    }
  }

  /** Says once why nothing connects, when the time has come. */
  tell(reason) {
    if (!this.due) return;
    this.due = false;
    this.hooks.error(new Error(`no connection for 30 seconds: ${reason}`));
  }
}
