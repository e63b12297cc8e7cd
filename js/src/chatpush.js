/**
 * The browser client of chatpush.
 *
 *     const chat = ChatPush.connect({ token });      // a function that returns the token, or a promise of it
 *     chat.on('message', (message) => show(message));
 *     chat.on('unread', (count) => showUnread(count));
 *
 * chatpush.d.ts documents every option, event and guarantee.
 */
import { Chat } from './chat.js';
import { adopt } from './stub.js';

/**
 * Connects, and reconnects until `close()` is called or the server closes for good. Never throws: what is
 * wrong with the options is an `error` event of a chat that is closed.
 * @param {import('../chatpush.d.ts').Options} options
 * @param {object} [world] Replaces the global object in tests.
 * @returns {import('../chatpush.d.ts').Chat}
 */
export function connect(options, world = globalThis) {
  const chat = new Chat(options ?? {}, world);
  return {
    on: (event, handler) => chat.on(event, handler),
    markRead: (conversation) => chat.markRead(conversation),
    event: (to, name, value) => chat.event(to, name, value),
    renewGrant: () => chat.renewGrant(),
    enableNotifications: () => chat.notify('enable'),
    disableNotifications: () => chat.notify('disable'),
    close: () => chat.close(),
    get state() {
      return chat.state;
    },
    get notifications() {
      return chat.notifications?.state ?? 'unsupported';
    },
  };
}

adopt(globalThis, connect);
