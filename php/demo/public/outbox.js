// What was written here and the server has not taken yet.
import { post } from './server.js';

/** The first and the longest wait before another attempt, in milliseconds. */
const FIRST = 500;
const LONGEST = 8_000;

/**
 * Sends what waits, one after the other, so that messages arrive in the order in which they were written. What the
 * server could not take is sent again: `ChatPush\sendMessage` takes the same id twice for one message, so not knowing
 * what has become of the first attempt does no harm. What waits outlives the page.
 */
export class Outbox {
  /**
   * @param everybody Gives the ids of all people.
   * @param changed Called with a person when one of the messages to them has changed.
   * @param problem Called with words for the person in front of the page, or nothing when all is well again.
   */
  constructor(kept, { everybody, changed, problem }) {
    Object.assign(this, { kept, everybody, changed, problem });
    this.wait = FIRST;
    this.running = false;
  }

  /** Takes a text for somebody. */
  async take(person, text) {
    await this.kept.add({ person, id: randomId(), text, time: Date.now(), mine: true, state: 'sending' });
    this.changed(person);
    this.run();
  }

  /** Sends now what waits; does nothing if that is under way. */
  async run() {
    clearTimeout(this.timer);
    if (this.running) return;
    this.running = true;
    let next;
    while ((next = this.first()) && (await this.send(next)));
    this.running = false;
    if (!next) return;
    this.timer = setTimeout(() => this.run(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST);
  }

  /** The oldest message that waits, over all conversations. */
  first() {
    const waiting = this.everybody().flatMap((person) => this.kept.of(person).filter(({ state }) => state === 'sending'));
    return waiting.sort((a, b) => a.place - b.place)[0];
  }

  /** Whether the server has decided, for or against it. */
  async send({ person, id, text }) {
    let state;
    try {
      state = (await post('send.php', { receiver_id: person, text, id })).how;
      this.problem();
    } catch ({ status, message }) {
      this.problem(status < 500 ? message : 'Not sent yet. It goes out by itself when the server is back.');
      if (status !== 422) return false;
      state = 'refused';
    }
    this.wait = FIRST;
    await this.kept.change(person, id, 'sending', state);
    this.changed(person);
    return true;
  }
}

/** Nobody else comes upon this id. `crypto.randomUUID` is not to be had without https. */
function randomId() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join('');
}
