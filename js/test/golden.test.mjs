// The bytes of the protocol, by the golden files that the tests of the other sides read too.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Browser, message, settle } from './world.mjs';
import { userOf } from '../src/address.js';

const alone = { share: false };

async function lines(name) {
  const found = JSON.parse(await readFile(new URL(`../../tests/golden/${name}.json`, import.meta.url), 'utf8'));
  assert.ok(found.length > 0);
  return found;
}

/** What becomes of one frame: the events, and the acks. */
async function received(frame) {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const messages = [];
  chat.on('message', (message) => { messages.push(message); });
  tab.socket.say(frame);
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.errors, []);
  return { messages, unread: tab.unread, acks: tab.socket.acks };
}

test('what the daemon sends is understood', async () => {
  for (const { kind, message, count, frame } of await lines('frames')) {
    // A notification of the application's own is the counter, and is acked like any message.
    assert.deepEqual(await received(frame), {
      messages: message && count === undefined ? [message] : [],
      unread: count === undefined ? [] : [count],
      acks: message ? [[message.id]] : [],
    }, kind);
  }
});

test('what PHP renders is understood', async () => {
  const fill = (text) => text.replace('<id>', 'golden').replace('<time>', '1732323232123');
  for (const [file, from] of [['pushed', () => ({})], ['stored', ({ sender }) => ({ from: sender })]]) {
    for (const line of await lines(file)) {
      // Before the frame stands what is for the daemon.
      const frame = fill(line.channel.slice(line.channel.indexOf('{')));
      const { messages, unread } = await received(frame);
      const expected = { id: 'golden', type: line.type ?? 'text', data: line.content, ...from(line), time: 1732323232123 };
      if (unread.length > 0) assert.deepEqual([JSON.parse(line.content)], [{ type: 'unread_count', data: unread[0] }]);
      else assert.deepEqual(messages, [expected]);
    }
  }
});

test('what the client says is what the file says', async () => {
  const said = {
    ack: async (tab, { ids }) => {
      for (const id of ids) tab.socket.say(message(id));
    },
    read: async (tab, line, chat) => chat.markRead(),
    ping: async (tab) => tab.show(),
  };
  for (const line of await lines('client')) {
    // This client fetches a token for each connection, and sends none on it.
    if (line.says === 'token') continue;
    const tab = new Browser().tab();
    const chat = await tab.open(alone);
    tab.socket.texts.length = 0;
    await said[line.says](tab, line, chat);
    await tab.browser.clock.advance(1);
    assert.deepEqual(tab.socket.texts, [line.frame]);
  }
});

test('a token says whose it is', async () => {
  for (const { user, token } of await lines('tokens')) assert.equal(userOf(globalThis, token), String(user));
});
