// The messages of this page: from the server's history, over the connection, and written here.
import { ask } from './server.js';
import { rank } from './ticks.js';

/**
 * How many rows are asked for again. A row can appear after one with a greater number, if its request took
 * longer.
 */
const OVERLAP = 20;

/**
 * A message is `{ row, id, from, to, text, time }`; the user's own have a `state` too, see ticks.js. `row` is
 * its number in the server's history. One that the server has not accepted yet has none.
 *
 * A message may come several times, in any order: from the history, live, from storage, on each device, and
 * again after a reload. `from` and `id` make it one message: the sender's page has made the id, PHP has
 * written it to the history and given it to `sendMessage`, and each retry has the same one.
 */
export class MessageHistory {
  /** For each person: the messages by key, and the part of the server's history that was loaded. */
  conversations = new Map();

  constructor(me) {
    this.me = me;
  }

  /** The other user of a message. */
  person({ from, to }) {
    return from === this.me ? to : from;
  }

  isMine({ from }) {
    return from === this.me;
  }

  /** The messages of a conversation, in the order of the history; those that are not sent yet come last. */
  of(person) {
    const order = ({ row = Infinity }) => row;
    return [...this.conversation(person).messages.values()]
      .sort((a, b) => (order(a) === order(b) ? a.time - b.time : order(a) - order(b)));
  }

  /** The messages of all conversations. */
  all() {
    return [...this.conversations.keys()].flatMap((person) => this.of(person));
  }

  /** The message as it is here, if it is. */
  find(message) {
    return this.conversation(this.person(message)).messages.get(key(message));
  }

  /** Adds a message, or what is new about one that is there. Returns whether it was not there yet. */
  add(message) {
    const known = this.find(message);
    if (!known) this.conversation(this.person(message)).messages.set(key(message), message);
    // An answer that is on its way for longer must not undo what a later one has said.
    else Object.assign(known, message, { state: rank(message) < rank(known) ? known.state : message.state });
    return !known;
  }

  /** Whether the server's history was asked for this conversation. */
  isLoaded(person) {
    return this.conversation(person).last !== undefined;
  }

  /** Whether everything up to this row is here. */
  isLoadedTo(person, row) {
    return this.conversation(person).last >= row;
  }

  /** Whether earlier messages than those here are in the server's history. */
  hasEarlier(person) {
    return this.conversation(person).hasEarlier;
  }

  /** Loads the last messages, or those since the last load. */
  async load(person) {
    const conversation = this.conversation(person);
    if (conversation.last === undefined) {
      const { messages, more } = await ask(`messages.php?person=${person}`);
      conversation.first = messages[0]?.row;
      conversation.hasEarlier = more;
      // What came live before this load may have a gap behind it.
      for (const message of [...conversation.messages.values()]) {
        if (more && message.row < conversation.first) conversation.messages.delete(key(message));
      }
      this.include(conversation, messages);
      return;
    }
    for (let more = true; more;) {
      const after = Math.max(0, conversation.last - OVERLAP);
      const answer = await ask(`messages.php?person=${person}&after=${after}`);
      const before = conversation.last;
      this.include(conversation, answer.messages);
      more = answer.more && conversation.last > before;
    }
  }

  /** Loads messages from before those that are here. */
  async loadEarlier(person) {
    const conversation = this.conversation(person);
    const { messages, more } = await ask(`messages.php?person=${person}&before=${conversation.first}`);
    conversation.first = messages[0]?.row ?? conversation.first;
    conversation.hasEarlier = more;
    this.include(conversation, messages);
  }

  include(conversation, messages) {
    for (const message of messages) this.add(message);
    conversation.last = Math.max(conversation.last ?? 0, messages.at(-1)?.row ?? 0);
  }

  conversation(person) {
    if (!this.conversations.has(person)) {
      this.conversations.set(person, { messages: new Map(), hasEarlier: false });
    }
    return this.conversations.get(person);
  }
}

const key = ({ from, id }) => `${from}:${id}`;
