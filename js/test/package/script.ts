// A page's script without imports has the global.
/// <reference types="chatpush" />
const global: ChatPush.Chat = ChatPush.connect({ token: 'a.b.c' });
global.on('message', (message: ChatPush.Message) => message.data.length);
