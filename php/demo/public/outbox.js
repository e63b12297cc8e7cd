// The messages that the server has not accepted yet.
import { post } from './server.js';

/** The first and the longest wait before another attempt, in milliseconds. */
const FIRST = 500;
const LONGEST = 8_000;

/**
 * Sends the user's waiting messages one after the other, so they arrive in the order in which they were
 * written. A failed request is repeated, even if its outcome is unknown: the same id is the same message, for
 * the server's history and for `ChatPush\sendMessage`. The browser keeps waiting messages over a reload.
 */
export class Outbox {
  /**
   * @param changed Called with the name of a conversation when one of the messages in it has changed.
   * @param problem Called with an error text for the user, or with nothing when the error is over.
   */
  constructor(history, { changed, problem }) {
    Object.assign(this, { history, changed, problem });
    this.wait = FIRST;
    this.running = false;
    this.isDelayed = false;
    for (const message of stored(this.prefix)) history.add(message);
  }

  /** Where this user's messages are in localStorage. Each has an entry, since tabs write at the same time. */
  get prefix() {
    return `chat.outbox.${this.history.me}.`;
  }

  /** Adds a text to a conversation. */
  take(name, text) {
    const [id, from, time] = [randomId(), this.history.me, Date.now()];
    const [, group] = /^group:(\d+)$/.exec(name) ?? [];
    const target = group ? { group: Number(group) } : { to: Number(name) };
    const message = { id, from, ...target, text, time, state: 'sending' };
    // A browser that refuses storage keeps the message until the page is closed.
    attempt(() => localStorage.setItem(this.prefix + id, JSON.stringify(message)));
    this.history.add(message);
    this.changed(name);
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
    if (!next) {
      // The history may know by now that an attempt without an answer has succeeded.
      if (this.isDelayed) this.problem();
      this.isDelayed = false;
      attempt(() => this.tidy());
      return;
    }
    this.timer = setTimeout(() => this.run(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST);
  }

  /** Removes what does not wait any more. Messages of other tabs, which are not known here, stay. */
  tidy() {
    for (const message of stored(this.prefix)) {
      const { state = 'sending' } = this.history.find(message) ?? {};
      if (state !== 'sending') localStorage.removeItem(this.prefix + message.id);
    }
  }

  /** The oldest waiting message. It may be one that another device has written and not handed over. */
  first() {
    const waiting = this.history.all().filter(({ state, deleted }) => state === 'sending' && !deleted);
    return waiting.sort((a, b) => a.time - b.time)[0];
  }

  /** Whether the server has accepted or refused the message. */
  async send(message) {
    const { id, text } = message;
    const name = this.history.name(message);
    let news;
    try {
      news = await post('send.php', { conversation: name, text, id });
      this.isDelayed = false;
      this.problem();
    } catch ({ status, message: why }) {
      this.problem(status < 500 ? why : 'Not sent yet. It goes out by itself when the server is back.');
      this.isDelayed = status !== 422;
      if (this.isDelayed) return false;
      news = { ...message, state: 'refused' };
    }
    this.wait = FIRST;
    attempt(() => localStorage.removeItem(this.prefix + id));
    this.history.add(news);
    this.changed(name);
    return true;
  }
}

/** The messages in localStorage whose keys begin so. */
function stored(prefix) {
  const read = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix))
    .map((key) => JSON.parse(localStorage.getItem(key)));
  return attempt(read) ?? [];
}

/** What it returns, or undefined if the browser refuses storage. */
function attempt(use) {
  try {
    return use();
  } catch (problem) {
    console.warn(problem);
    return undefined;
  }
}

/** A random id. `crypto.randomUUID` does not exist without https. */
function randomId() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join('');
}
