// The messages of this page: from the server's history, over the connection, and written here.
import { ask } from './server.js';
import { rank } from './ticks.js';

/**
 * How many rows are asked for again. A row can appear after one with a greater number, if its request took
 * longer.
 */
const OVERLAP = 20;

/** How far back the page asks for deleted messages again, in milliseconds, for the same reason. */
const DELETED_OVERLAP = 10_000;

/** How many messages may have news before they are here. */
const EARLY = 1_000;

/**
 * A message is `{ row, id, from, to, text, time }`, of a group with `group` instead of `to`; the user's own
 * have a `state` and `got` too, see ticks.js, and deleted ones `deleted`. `row` is its number in the server's
 * history. One that the server has not accepted yet has none.
 *
 * A message may come several times, in any order: from the history, live, from storage, on each device, and
 * again after a reload. `from` and `id` make it one message: the sender's page has made the id, PHP has
 * written it to the history and given it to `sendMessage`, and each retry has the same one. Both together are
 * the id of chatpush's frames.
 */
export class MessageHistory {
  /** For each name: the messages by key, and the part of the server's history that was loaded. */
  conversations = new Map();

  /** What is known about messages that are not here yet, by key. */
  early = new Map();

  constructor(me) {
    this.me = me;
  }

  /** The name of a message's conversation. */
  name({ from, to, group }) {
    if (group) return `group:${group}`;
    return String(from === this.me ? to : from);
  }

  isMine({ from }) {
    return from === this.me;
  }

  /** The messages of a conversation, in the order of the history; those that are not sent yet come last. */
  of(name) {
    const order = ({ row = Infinity }) => row;
    return [...this.conversation(name).messages.values()]
      .sort((a, b) => (order(a) === order(b) ? a.time - b.time : order(a) - order(b)));
  }

  /** The messages of all conversations. */
  all() {
    return [...this.conversations.keys()].flatMap((name) => this.of(name));
  }

  /** The message as it is here, if it is. */
  find(message) {
    return this.messages(message).get(key(message));
  }

  /** The messages of the conversation of this one. */
  messages(message) {
    return this.conversation(this.name(message)).messages;
  }

  /** Adds a message, or what is new about one that is there. Returns whether it was not there yet. */
  add(message) {
    const known = this.find(message);
    const early = this.early.get(key(message));
    this.early.delete(key(message));
    if (known) merge(known, message);
    else this.messages(message).set(key(message), merge({ ...message }, early ?? {}));
    return !known;
  }

  /**
   * Something has become known about a message, by the id of chatpush's frames: who has got it, or that it
   * was deleted.
   * @returns {string|undefined} The conversation, if the message is here.
   */
  learn(id, news) {
    for (const [name, { messages }] of this.conversations) {
      const known = messages.get(id);
      if (!known) continue;
      merge(known, news);
      return name;
    }
    this.early.set(id, merge(this.early.get(id) ?? {}, news));
    if (this.early.size > EARLY) this.early.delete(this.early.keys().next().value);
    return undefined;
  }

  /** Whether the server's history was asked for this conversation. */
  isLoaded(name) {
    return this.conversation(name).last !== undefined;
  }

  /** Whether everything up to this row is here. */
  isLoadedTo(name, row) {
    return this.conversation(name).last >= row;
  }

  /** Whether earlier messages than those here are in the server's history. */
  hasEarlier(name) {
    return this.conversation(name).hasEarlier;
  }

  /** Loads the last messages, or those since the last load. */
  async load(name) {
    const conversation = this.conversation(name);
    if (conversation.last === undefined) {
      const answer = await ask(`messages.php?conversation=${name}`);
      const { messages, more } = answer;
      conversation.first = messages[0]?.row;
      conversation.hasEarlier = more;
      // What came live before this load may have a gap behind it.
      for (const message of [...conversation.messages.values()]) {
        if (more && message.row < conversation.first) conversation.messages.delete(key(message));
      }
      this.include(conversation, answer);
      conversation.asked = answer.time;
      return;
    }
    const since = conversation.asked - DELETED_OVERLAP;
    for (let more = true; more;) {
      const after = Math.max(0, conversation.last - OVERLAP);
      const answer = await ask(`messages.php?conversation=${name}&after=${after}&since=${since}`);
      const before = conversation.last;
      this.include(conversation, answer);
      conversation.asked = answer.time;
      more = answer.more && conversation.last > before;
    }
  }

  /** Loads messages from before those that are here. */
  async loadEarlier(name) {
    const conversation = this.conversation(name);
    const answer = await ask(`messages.php?conversation=${name}&before=${conversation.first}`);
    conversation.first = answer.messages[0]?.row ?? conversation.first;
    conversation.hasEarlier = answer.more;
    this.include(conversation, answer);
  }

  include(conversation, { messages, deleted }) {
    for (const message of messages) this.add(message);
    for (const message of deleted) this.learn(key(message), { deleted: true });
    conversation.last = Math.max(conversation.last ?? 0, messages.at(-1)?.row ?? 0);
  }

  conversation(name) {
    if (!this.conversations.has(name)) {
      this.conversations.set(name, { messages: new Map(), hasEarlier: false });
    }
    return this.conversations.get(name);
  }
}

const key = ({ from, id }) => `${from}:${id}`;

/** Adds what is new about a message. What is on its way for longer must not undo what came before it. */
function merge(known, news) {
  const state = rank(news) < rank(known) ? known.state : news.state ?? known.state;
  const got = [...new Set([...known.got ?? [], ...news.got ?? []])];
  const deleted = known.deleted || news.deleted;
  Object.assign(known, news, { state, got, deleted });
  if (deleted) known.text = '';
  return known;
}
