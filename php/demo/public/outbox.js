// The messages that the server has not accepted yet.
import { post } from './server.js';

/** The first and the longest wait before another attempt, in milliseconds. */
const FIRST = 500;
const LONGEST = 8_000;

/**
 * Sends the waiting messages one after the other, so they arrive in the order in which they were written. A
 * failed request is repeated, even if its outcome is unknown: for `ChatPush\sendMessage` the same id is the
 * same message. The waiting messages are stored, so they survive a reload.
 */
export class Outbox {
  /**
   * @param everybody Returns the ids of all people.
   * @param changed Called with a person when one of the messages to them has changed.
   * @param problem Called with an error text for the user, or with nothing when the error is over.
   */
  constructor(history, { everybody, changed, problem }) {
    Object.assign(this, { history, everybody, changed, problem });
    this.wait = FIRST;
    this.running = false;
  }

  /** Adds a text for another user. */
  async take(person, text) {
    await this.history.add({ person, id: randomId(), text, time: Date.now(), mine: true, state: 'sending' });
    this.changed(person);
    this.run();
  }

  /** Sends the waiting messages, unless that is under way already. */
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

  /** The oldest waiting message of all conversations. */
  first() {
    const sending = (person) => this.history.of(person).filter(({ state }) => state === 'sending');
    const waiting = this.everybody().flatMap(sending);
    return waiting.sort((a, b) => a.place - b.place)[0];
  }

  /** Whether the server has accepted or refused the message. */
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
    await this.history.change(person, id, 'sending', state);
    this.changed(person);
    return true;
  }
}

/** A random id. `crypto.randomUUID` does not exist without https. */
function randomId() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join('');
}
