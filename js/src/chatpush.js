/**
 * The browser client of chatpush.
 *
 *     const chat = ChatPush.connect({ token: async () => (await fetch('/token.php')).text() });
 *     chat.on('message', (message) => show(message));
 *     chat.on('unread', (count) => showUnread(count));
 *
 * Every option, event and promise is described in chatpush.d.ts, which editors show.
 */
import { Chat } from './chat.js';

/**
 * Connects, and stays connected until `close()` or until it is of no use.
 * @param {import('../chatpush.d.ts').Options} options
 * @param {object} [world] Stands in for the global object in tests.
 * @returns {import('../chatpush.d.ts').Chat}
 * @throws {TypeError} If the token or the url is of no use.
 */
export function connect(options, world = globalThis) {
  const chat = new Chat(options ?? {}, world);
  return {
    on: (event, handler) => chat.on(event, handler),
    markRead: () => chat.markRead(),
    close: () => chat.close(),
    get state() {
      return chat.state;
    },
  };
}
