// The messages, stored in the browser's IndexedDB, which all tabs share.

/** How many messages are kept of each conversation. */
const MAX_MESSAGES = 500;

/**
 * Every message is `{ place, person, id, text, time }`. `place` is its number in the order of arrival,
 * `person` the other user. The user's own messages have `mine: true` and a `state`, see ticks.js.
 *
 * Reads are from memory. A write ends when the database has the data; then all tabs are notified.
 */
export class MessageHistory {
  /** For each person: the messages, the place of the last seen one, and the number of the load. */
  conversations = new Map();
  places = new Map();
  loaded = new Map();
  loads = 0;

  /** Called with a person when another tab has changed that conversation. */
  changed = () => {};

  /** @throws {DOMException} If the browser refuses storage. */
  static async open(me) {
    const history = new MessageHistory();
    history.database = await database(`chat.${me}`);
    history.tabs = new BroadcastChannel(`chat.${me}`);
    history.tabs.onmessage = async ({ data: person }) => {
      await history.load(person);
      history.changed(person);
    };
    const messages = history.database.transaction('messages').objectStore('messages');
    for (const { person } of await result(messages.getAll())) history.conversations.set(person, []);
    for (const person of history.conversations.keys()) await history.load(person);
    return history;
  }

  /** The messages of a conversation, in order of arrival. */
  of(person) {
    return this.conversations.get(person) ?? [];
  }

  /** The other user's messages after the last one that was seen. */
  unseen(person) {
    return this.of(person).filter(({ mine, place }) => !mine && place > (this.places.get(person) ?? 0));
  }

  /** Adds a message. Returns false if this or another tab has added it before. */
  add(message) {
    const { person, id } = message;
    return this.write(person, async ({ messages }) => {
      const conversation = messages.index('person');
      if (await result(messages.index('id').getKey(id))) return false;
      await result(messages.add(message));
      if (await result(conversation.count(person)) > MAX_MESSAGES) {
        messages.delete(await result(conversation.getKey(person)));
      }
      return true;
    });
  }

  /** Changes the state of a message, unless another tab has changed it meanwhile. */
  change(person, id, from, to) {
    return this.write(person, async ({ messages }) => {
      const message = await result(messages.index('id').get(id));
      if (message?.state === from) messages.put({ ...message, state: to });
    });
  }

  /** Marks all messages of the conversation as seen. */
  async see(person) {
    if (this.unseen(person).length === 0) return;
    const { place } = this.of(person).at(-1);
    await this.write(person, async ({ seen }) => {
      if (place > ((await result(seen.get(person)))?.place ?? 0)) seen.put({ person, place });
    });
  }

  async write(person, change) {
    const transaction = this.database.transaction(['messages', 'seen'], 'readwrite');
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const [changed] = await Promise.all([change(stores(transaction)), done]);
    await this.load(person);
    this.tabs.postMessage(person);
    return changed;
  }

  async load(person) {
    const load = ++this.loads;
    const { messages, seen } = stores(this.database.transaction(['messages', 'seen']));
    const [conversation, last] = await Promise.all([
      result(messages.index('person').getAll(person)),
      result(seen.get(person)),
    ]);
    // A load that began later may have ended earlier.
    if (load < (this.loaded.get(person) ?? 0)) return;
    this.loaded.set(person, load);
    this.conversations.set(person, conversation);
    this.places.set(person, last?.place);
  }
}

function database(name) {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    const messages = opening.result.createObjectStore('messages', { keyPath: 'place', autoIncrement: true });
    messages.createIndex('id', 'id', { unique: true });
    messages.createIndex('person', 'person');
    opening.result.createObjectStore('seen', { keyPath: 'person' });
  };
  return result(opening);
}

const stores = (transaction) =>
  ({ messages: transaction.objectStore('messages'), seen: transaction.objectStore('seen') });

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
