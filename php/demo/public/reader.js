// Marks conversations as read, in chatpush's counters of unread messages.

/** Messages within so many milliseconds are marked together. */
const INTERVAL = 300;

export class Reader {
  /** Conversations that were marked a moment ago, and whether they have to be marked again. */
  marked = new Map();

  constructor(chat) {
    this.chat = chat;
  }

  /** The user has seen a conversation. It is marked at once, or with what comes next. */
  see(name) {
    if (this.marked.has(name)) {
      this.marked.set(name, true);
      return;
    }
    this.chat.markRead(name);
    this.marked.set(name, false);
    setTimeout(() => {
      const again = this.marked.get(name);
      this.marked.delete(name);
      if (again) this.see(name);
    }, INTERVAL);
  }
}
