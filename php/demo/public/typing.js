// Who is typing: sent to the others of the conversation, and shown.

/** How often the others are told, and how long it is shown, in milliseconds. */
const TOLD_EVERY = 2_000;
const SHOWN_FOR = 4_000;

/** In a group so many are told: the daemon drops more than 20 events in a second. */
const TOLD = 15;

export class Typing {
  /** For each conversation: who is typing, with the timer that ends it. */
  conversations = new Map();
  told = { at: -Infinity };

  /** @param changed Called with the name of a conversation in which somebody begins or ends. */
  constructor(chat, chats, changed) {
    Object.assign(this, { chat, chats, changed });
    chat.on('event', ({ event, from, value }) => event === 'typing' && this.heard(from, value?.in));
  }

  /** The user is typing in a conversation. */
  tell(name) {
    if (name === this.told.name && performance.now() - this.told.at < TOLD_EVERY) return;
    this.told = { name, at: performance.now() };
    const isGroup = this.chats.isGroup(name);
    const listeners = this.chats.receivers(name).filter((user) => !isGroup || this.chats.isOnline(user));
    for (const user of listeners.slice(0, TOLD)) this.chat.event(user, 'typing', isGroup ? { in: name } : {});
  }

  /** The ids of those who are typing. */
  who(name) {
    return [...this.conversations.get(name)?.keys() ?? []];
  }

  /** A message of the user has come. */
  ended(name, user) {
    const users = this.conversations.get(name);
    clearTimeout(users?.get(user));
    if (users?.delete(user)) this.changed(name);
  }

  /** Another browser has written this: a user can only be typing where they belong. */
  heard(user, group) {
    const name = group === undefined ? String(user) : String(group);
    if (!this.chats.has(name) || !this.chats.receivers(name).includes(user)) return;
    if (!this.conversations.has(name)) this.conversations.set(name, new Map());
    const users = this.conversations.get(name);
    clearTimeout(users.get(user));
    users.set(user, setTimeout(() => this.ended(name, user), SHOWN_FOR));
    this.changed(name);
  }
}
