// The bytes of the protocol, from the golden files that the Rust and PHP tests read too.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { PushBrowser } from './notifications-world.mjs';
import { Browser, message, settle } from './world.mjs';
import { userOf } from '../src/address.js';

const alone = { share: false };

async function lines(name) {
  const found = JSON.parse(await readFile(new URL(`../../tests/golden/${name}.json`, import.meta.url), 'utf8'));
  assert.ok(found.length > 0);
  return found;
}

/** The events and acks that one frame causes. */
async function received(frame) {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const messages = [];
  chat.on('message', (message) => { messages.push(message); });
  tab.socket.say(frame);
  await tab.browser.clock.advance(1);
  return { errors: tab.errors.map(({ message }) => message), messages, unread: tab.unread, acks: tab.socket.acks };
}

test('frames of the daemon are read', async () => {
  for (const { kind, message, count, error, frame } of await lines('frames')) {
    // A message whose content is a counter causes an unread event, and is acked like any message. A copy is
    // not.
    assert.deepEqual(await received(frame), {
      errors: error === undefined ? [] : [`no grant: ${error}`],
      messages: message && count === undefined ? [message] : [],
      unread: count === undefined ? [] : [count],
      acks: message && message.to === undefined ? [[message.id]] : [],
    }, kind);
  }
});

test('frames that PHP renders are read', async () => {
  const fill = (text) => text.replace('<id>', 'golden').replace('<time>', '1732323232123');
  for (const [file, from] of [['pushed', () => ({})], ['stored', ({ sender }) => ({ from: sender })]]) {
    for (const line of await lines(file)) {
      // The part before the frame is for the daemon.
      const frame = fill(line.channel.slice(line.channel.indexOf('{')));
      const { messages, unread } = await received(frame);
      const expected = { id: 'golden', type: line.type ?? 'text', data: line.content, ...from(line), time: 1732323232123 };
      if (unread.length > 0) assert.deepEqual([JSON.parse(line.content)], [{ type: 'unread_count', data: unread[0] }]);
      else assert.deepEqual(messages, [expected]);
    }
  }
});

/** What the client of the first version makes of one frame. */
async function receivedBefore(frame) {
  const context = createContext({ URL });
  runInContext(await readFile(new URL('earlier/chatpush-1.js', import.meta.url), 'utf8'), context);
  const tab = new Browser().tab();
  const seen = { messages: [], unread: [], errors: [] };
  const chat = context.ChatPush.connect({ token: 't', ...alone }, tab.world);
  chat.on('message', (message) => { seen.messages.push(message.id); });
  chat.on('unread', (count) => { seen.unread.push(count); });
  chat.on('error', (error) => { seen.errors.push(error); });
  await settle();
  tab.socket.accept();
  tab.socket.say(frame);
  await tab.browser.clock.advance(1);
  return seen;
}

test('the first version of this client shows no frame that it does not know', async () => {
  for (const { kind, message, count, frame } of await lines('frames')) {
    assert.deepEqual(await receivedBefore(frame), {
      messages: message && count === undefined ? [message.id] : [],
      unread: count === undefined ? [] : [count],
      errors: [],
    }, kind);
  }
});

test('the client sends the frames of the golden file', async () => {
  const said = {
    ack: async (tab, { ids }) => {
      for (const id of ids) tab.socket.say(message(id));
    },
    read: async (tab, line, chat) => chat.markRead(),
    'read conversation': async (tab, line, chat) => chat.markRead(line.conversation),
    ping: async (tab) => tab.show(),
    grant: async () => {},
    event: async (tab, line, chat) => chat.event(line.to, line.event, line.value),
    push: async (tab, { push }, chat) => subscribe(tab, push, chat),
    unpush: async (tab, { unpush }, chat) => {
      await subscribe(tab, { endpoint: unpush }, chat);
      tab.socket.say({ type: 'push', saved: unpush });
      await settle();
      tab.socket.texts = [];
      chat.disableNotifications();
      await settle();
    },
  };
  const subscribe = async ({ service }, { endpoint, keys }, chat) => {
    Object.assign(service, { endpoint: () => endpoint, keys });
    chat.enableNotifications();
    await settle();
  };
  for (const line of await lines('client')) {
    // This client never sends a token on an open connection; it fetches one for each.
    if (line.says === 'token') continue;
    const service = new PushBrowser();
    const tab = Object.assign(new Browser().tab(service.parts()), { service });
    const chat = await tab.open({ ...alone, grant: line.grant });
    // It pings as soon as it is connected.
    tab.socket.texts = tab.socket.texts.filter((text) => text !== '{"ping":true}');
    await said[line.says](tab, line, chat);
    await tab.browser.clock.advance(1);
    assert.deepEqual(tab.socket.texts, [line.frame]);
  }
});

test('the user is read from a token', async () => {
  for (const { user, token } of await lines('tokens')) assert.equal(userOf(globalThis, token), String(user));
});
