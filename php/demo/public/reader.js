// Marks messages as read: in the daemon's counter of unread messages, and on the server by conversation.
import { post } from './server.js';

/** Messages within so many milliseconds are marked together. */
const INTERVAL = 300;

export class Reader {
  /** What is still to be recorded: the row up to which the user has seen a conversation, by person. */
  rows = new Map();
  isBusy = false;

  /** @param done Called when the daemon's counter has been reset. */
  constructor(chat, done) {
    Object.assign(this, { chat, done });
  }

  /** The user has seen a conversation up to a row. It is recorded at once, or with what comes next. */
  see(person, row) {
    if (row > 0) this.rows.set(person, row);
    this.isNew = true;
    if (!this.isBusy) this.record();
  }

  /** Records what could not be recorded before. */
  retry() {
    if (this.rows.size > 0 && !this.isBusy) this.record();
  }

  async record() {
    this.isBusy = true;
    this.isNew = false;
    this.chat.markRead();
    const interval = new Promise((over) => { setTimeout(over, INTERVAL); });
    for (const [person, row] of [...this.rows]) {
      try {
        await post('seen.php', { person, row });
        if (this.rows.get(person) === row) this.rows.delete(person);
      } catch {
        // It stays in the list.
      }
    }
    await interval;
    this.isBusy = false;
    if (this.isNew) this.record();
    else this.done();
  }
}
