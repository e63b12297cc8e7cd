// Who is typing: sent to the other user of the conversation, and shown.

/** How often the other user is told, and how long it is shown, in milliseconds. */
const TOLD_EVERY = 2_000;
const SHOWN_FOR = 4_000;

export class Typing {
  /** When each person was last typing. */
  people = new Map();
  told = -Infinity;

  /** @param changed Called with a person who begins or ends. */
  constructor(chat, changed) {
    this.chat = chat;
    this.changed = changed;
    chat.on('event', ({ event, from }) => event === 'typing' && this.heard(from));
  }

  /** The user is typing to a person. */
  tell(person) {
    if (performance.now() - this.told < TOLD_EVERY) return;
    this.told = performance.now();
    this.chat.event(person, 'typing');
  }

  is(person) {
    return this.people.has(person);
  }

  /** A message of the person has come. */
  ended(person) {
    clearTimeout(this.people.get(person));
    if (this.people.delete(person)) this.changed(person);
  }

  heard(person) {
    clearTimeout(this.people.get(person));
    this.people.set(person, setTimeout(() => this.ended(person), SHOWN_FOR));
    this.changed(person);
  }
}
