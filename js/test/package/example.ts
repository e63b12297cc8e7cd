// Compiled against the packed package, never run: what the types allow, and what they do not.
import { connect, type Chat, type ChatError, type Message, type State } from 'chatpush';

const chat: Chat = connect({ url: new URL('wss://push.example/ws'), token: async () => 'a.b.c', name: 'shop', share: false });
const off: () => void = chat.on('message', async ({ id, data, from, offline }: Message) => {
  const texts: string[] = [id, data];
  const sender: number | string | undefined = from;
  return [texts, sender, offline === true];
});
chat.on('unread', (count) => count.toFixed());
chat.on('state', (state) => {
  const known: State = state;
  return known === 'waiting';
});
chat.on('error', (error: ChatError) => error.code ?? error.message);
off();
chat.markRead();
const enabled: Promise<void> = chat.enableNotifications();
enabled.then(() => chat.disableNotifications());
chat.notifications === 'on';
connect({ token: 'a.b.c', worker: new URL('https://shop.example/chatpush-worker.js') });
chat.close();

// @ts-expect-error A token is needed.
connect({});
// @ts-expect-error There is no such event.
chat.on('mesage', () => {});
// @ts-expect-error A counter is no text.
chat.on('unread', (count: string) => count);
// @ts-expect-error The state is the chat's own.
chat.state = 'open';
