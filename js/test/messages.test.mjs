// Which messages are handed out, acked and remembered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../src/chatpush.js';
import { Browser, message, settle } from './world.mjs';

const alone = { share: false };
const KEY = 'chatpush:handled:default:7';

/** Ends the connection and opens the next one. */
async function reconnect(tab) {
  tab.socket.end(1006);
  await tab.browser.clock.advance(30_000);
  tab.socket.accept();
  await settle();
}

test('messages go to every handler and are acked together', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const whole = [];
  chat.on('message', (received) => { whole.push(received); });
  const frame = { ...message('a', 'hello'), from: 5, offline: true };
  tab.socket.say(frame);
  tab.socket.say(message('b'));
  tab.socket.say({ type: 'text', data: 'no id', time: 1 });
  await settle();
  assert.deepEqual(tab.messages, ['hello', 'b', 'no id']);
  assert.deepEqual(whole[0], frame);
  assert.deepEqual(tab.socket.acks, []);
  await tab.browser.clock.advance(0);
  assert.deepEqual(tab.socket.acks, [['a', 'b']]);
});

test('the ack and the next message wait for all handlers and their promises', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const finish = [];
  const order = [];
  chat.on('message', ({ id }) => new Promise((resolve) => { order.push(`begin ${id}`); finish.push(resolve); }));
  chat.on('message', ({ id }) => { order.push(`also ${id}`); });
  tab.socket.say(message('a'));
  tab.socket.say(message('b'));
  await tab.browser.clock.advance(1);
  assert.deepEqual(order, ['begin a', 'also a']);
  assert.deepEqual(tab.socket.acks, []);
  finish[0]();
  await tab.browser.clock.advance(1);
  assert.deepEqual(order, ['begin a', 'also a', 'begin b', 'also b']);
  assert.deepEqual(tab.socket.acks, [['a']]);
});

test('a failed handler causes no ack; the message is handled again on a later connection', async () => {
  for (const fail of [() => { throw new Error('full'); }, () => Promise.reject(new Error('full'))]) {
    const tab = new Browser().tab();
    const chat = tab.chat(alone);
    let broken = true;
    chat.on('message', ({ id }) => (broken && id === 'a' ? fail() : undefined));
    chat.on('message', ({ id }) => { tab.messages.push(id); });
    await settle();
    tab.socket.accept();
    tab.socket.say(message('a'));
    tab.socket.say(message('b'));
    await tab.browser.clock.advance(1);
    assert.deepEqual(tab.messages, ['a', 'b'], 'the other handlers and messages are not affected');
    assert.deepEqual(tab.socket.acks, [['b']]);
    assert.deepEqual(tab.errors.map((error) => error.message), ['full']);
    broken = false;
    await reconnect(tab);
    tab.socket.say(message('a'));
    await tab.browser.clock.advance(1);
    assert.deepEqual(tab.messages, ['a', 'b', 'a']);
    assert.deepEqual(tab.socket.acks, [['a']]);
  }
});

test('a handled message is acked again but not handed out again, across page loads', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await tab.open(alone);
  tab.socket.say(message('a'));
  await browser.clock.advance(1);
  await reconnect(tab);
  tab.socket.say(message('a'));
  await browser.clock.advance(1);
  assert.deepEqual(tab.messages, ['a']);
  assert.deepEqual(tab.socket.acks, [['a']]);

  const reloaded = browser.tab();
  await reloaded.open(alone);
  reloaded.socket.say(message('a'));
  await browser.clock.advance(1);
  assert.deepEqual(reloaded.messages, []);
  assert.deepEqual(reloaded.socket.acks, [['a']]);
});

test('a message that comes again while being handled is handled once and acked again', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  let finish;
  let calls = 0;
  chat.on('message', () => new Promise((resolve) => { calls++; finish = resolve; }));
  await settle();
  tab.socket.accept();
  tab.socket.say(message('a'));
  await reconnect(tab);
  tab.socket.say(message('a'));
  finish();
  await tab.browser.clock.advance(1);
  assert.equal(calls, 1);
  assert.deepEqual(tab.sockets[0].acks, []);
  assert.deepEqual(tab.sockets[1].acks, [['a']]);
});

test('an ack has at most 1,000 ids and stays below the limit of 64 KiB', async () => {
  for (const [id, expected] of [
    [(number) => `id${number}`, [1_000, 1_000, 500]],
    [(number) => `${number}:`.padEnd(75, '"'), undefined],
  ]) {
    const tab = new Browser().tab();
    await tab.open(alone);
    for (let number = 0; number < 2_500; number++) tab.socket.say(message(id(number)));
    await settle();
    await tab.browser.clock.advance(1);
    const { acks } = tab.socket;
    assert.equal(new Set(acks.flat()).size, 2_500);
    assert.ok(acks.every((ids) => JSON.stringify({ ack: ids }).length < 65_536));
    if (expected) assert.deepEqual(acks.map((ids) => ids.length), expected);
  }
});

test('the last 1,024 ids are remembered, in memory and in localStorage', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await tab.open(alone);
  for (let number = 0; number < 1_030; number++) tab.socket.say(message(`id${number}`));
  await browser.clock.advance(1);
  const stored = JSON.parse(browser.storage.getItem(KEY));
  assert.equal(stored.length, 1_024);
  assert.deepEqual([stored[0], stored.at(-1)], ['id6', 'id1029']);
  await reconnect(tab);
  tab.socket.say(message('id6'));
  tab.socket.say(message('id5'));
  await browser.clock.advance(1);
  assert.deepEqual(tab.messages.slice(1_030), ['id5']);
});

test('ids are saved before they are acked', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await tab.open(alone);
  let atAck;
  const send = tab.socket.send.bind(tab.socket);
  tab.socket.send = (text) => { atAck = browser.storage.getItem(KEY); send(text); };
  tab.socket.say(message('a'));
  await browser.clock.advance(1);
  assert.equal(atAck, '["a"]');
});

test('tabs with their own connections each get a message and keep each other\'s stored ids', async () => {
  const browser = new Browser();
  const [one, two] = [browser.tab(), browser.tab()];
  await one.open(alone);
  await two.open(alone);
  one.socket.say(message('a'));
  await browser.clock.advance(1);
  two.socket.say(message('a'));
  two.socket.say(message('b'));
  await browser.clock.advance(1);
  assert.deepEqual(two.messages, ['a', 'b']);
  one.socket.say(message('c'));
  await browser.clock.advance(1);
  assert.deepEqual(JSON.parse(browser.storage.getItem(KEY)), ['a', 'b', 'c']);
});

test('each name and each user has its own stored ids', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await tab.open({ ...alone, name: 'a:b' });
  tab.socket.say(message('a'));
  await browser.clock.advance(1);
  assert.deepEqual([...browser.storage.items.keys()], ['chatpush:handled:a%3Ab:7']);
  const other = browser.tab();
  await other.open(alone);
  other.socket.say(message('a'));
  await settle();
  assert.deepEqual(other.messages, ['a']);
});

test('an absent, forbidden, full or damaged localStorage only loses the ids across page loads', async () => {
  const full = { getItem: () => null, setItem: () => { throw new Error('QuotaExceededError'); } };
  const damaged = (text) => ({ getItem: () => text, setItem: () => {} });
  for (const storage of [undefined, null, full, damaged('{'), damaged('{"a":1}'), damaged('[1,null]'), 'forbidden']) {
    const tab = new Browser().tab({ localStorage: storage });
    if (storage === 'forbidden') {
      Object.defineProperty(tab.world, 'localStorage', { get() { throw new Error('SecurityError'); } });
    }
    await tab.open(alone);
    tab.socket.say(message('a'));
    await tab.browser.clock.advance(1);
    await reconnect(tab);
    tab.socket.say(message('a'));
    await tab.browser.clock.advance(1);
    assert.deepEqual(tab.messages, ['a']);
    assert.deepEqual(tab.sockets.flatMap(({ acks }) => acks), [['a'], ['a']]);
    assert.deepEqual(tab.errors, []);
  }
});

test('the counter is an unread event, also inside a message, and does not wait for messages', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  chat.on('message', () => new Promise(() => {}));
  tab.socket.say(message('slow'));
  tab.socket.say({ type: 'unread_count', data: 3 });
  tab.socket.say(message('n', ' {"type":"unread_count","data":4}'));
  tab.socket.say({ type: 'text', data: '{"type":"unread_count","data":5}', time: 1 });
  await tab.browser.clock.advance(1);
  tab.socket.say(message('n', '{"type":"unread_count","data":4}'));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.unread, [3, 4, 5]);
  assert.deepEqual(tab.socket.acks, [['n'], ['n']]);
});

test('a message that only resembles a counter is a message', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  const contents = [
    '{"type":"unread_count","data":"3"}', '{"type":"unread_count","data":1.5}', '{"type":"unread_count"}',
    '{"type":"unread", "data":3}', '{"type":"unread_count","data":3', '[]', 'null', '', '3',
  ];
  contents.forEach((data, number) => tab.socket.say(message(`id${number}`, data)));
  tab.socket.say({ id: 'typed', type: 'unread_count', data: 'three', time: 1 });
  await settle();
  assert.deepEqual(tab.messages, [...contents, 'three']);
  assert.deepEqual(tab.unread, []);
});

test('unknown frames are ignored', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  for (const frame of ['', 'hello', 'null', '[]', '{', '{"new":1}', '{"id":"a","data":5}']) tab.socket.say(frame);
  tab.socket.onmessage({ data: new ArrayBuffer(1) });
  tab.socket.say(message('a'));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.messages, ['a']);
  assert.deepEqual(tab.errors, []);
});

test('without a handler messages wait and are not acked', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  await settle();
  tab.socket.accept();
  tab.socket.say(message('a'));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.socket.acks, []);
  const off = chat.on('message', ({ id }) => { tab.messages.push(id); });
  assert.deepEqual(tab.messages, [], 'not before on has returned');
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.socket.acks, [['a']]);
  off();
  off();
  tab.socket.say(message('b'));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.messages, ['a']);
  assert.deepEqual(tab.socket.acks, [['a']]);
});

test('without a handler the last 1,024 messages wait', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  await settle();
  tab.socket.accept();
  for (let number = 0; number < 1_030; number++) tab.socket.say(message(`id${number}`));
  chat.on('message', ({ id }) => { tab.messages.push(id); });
  await tab.browser.clock.advance(1);
  assert.deepEqual([tab.messages.length, tab.messages[0]], [1_024, 'id6']);
  assert.ok(!tab.socket.acks.flat().includes('id5'));
});

test('unhandled errors and failing error handlers are written to the console', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  chat.on('unread', () => { throw 'a text'; });
  chat.on('error', () => { throw new Error('worse'); });
  tab.socket.say({ type: 'unread_count', data: 3 });
  await settle();
  assert.equal(tab.errors[0].message, 'a text');
  assert.match(tab.logged.join(), /worse/);
  const silent = new Browser().tab();
  connect({ ...alone, token: () => { throw new Error('unseen'); } }, silent.world);
  await settle();
  assert.match(silent.logged.join(), /unseen/);
});

test('markRead is sent at once, or one time when the connection opens', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  chat.markRead();
  chat.markRead();
  await settle();
  tab.socket.accept();
  const reads = () => tab.socket.sent.filter(({ read }) => read === true).length;
  assert.equal(reads(), 1);
  chat.markRead();
  assert.equal(reads(), 2);
  chat.close();
  chat.markRead();
  assert.equal(reads(), 2);
});

test('a conversation is marked as read, and counted apart', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  const counts = [];
  chat.on('unread', (...count) => counts.push(count));
  assert.throws(() => chat.markRead('not a name'), TypeError);
  chat.markRead('team');
  chat.markRead('team');
  await settle();
  tab.socket.accept();
  chat.markRead(7);
  await tab.browser.clock.advance(20);
  const reads = tab.socket.sent.filter(({ read }) => read);
  assert.deepEqual(reads, [{ read: { conversation: 'team' } }, { read: { conversation: '7' } }]);
  tab.socket.say({ type: 'unread_count', data: 3, by: { 7: 2, team: 1 } });
  tab.socket.say({ type: 'unread_count', data: 1 });
  await settle();
  tab.socket.say({ type: 'unread_count', data: 9, by: { 7: 2 }, more: true });
  await settle();
  assert.deepEqual(counts, [[3, { 7: 2, team: 1 }], [1], [9, { 7: 2 }, true]]);
});

test('reads of conversations are fewer than the daemon drops, and the last one is sent', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const { clock } = tab.browser;
  const reads = () => tab.socket.sent.filter(({ read }) => read).map(({ read }) => read.conversation);
  for (let number = 0; number < 200; number++) {
    chat.markRead('open');
    chat.markRead('open');
    await clock.advance(5);
  }
  await clock.advance(20);
  assert.ok(reads().length > 40 && reads().length <= 51, `${reads().length} in a second`);
  assert.deepEqual(new Set(reads()), new Set(['open']));
  const before = reads().length;
  for (let number = 0; number < 10; number++) chat.markRead(number);
  await clock.advance(200);
  assert.deepEqual(reads().slice(before), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  chat.markRead('a');
  chat.markRead('b');
  chat.close();
  assert.deepEqual(reads().slice(-2), ['a', 'b'], 'what waits is sent when the page closes the chat');
});

test('a conversation that was read long before the connection is there is not cleared', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const { clock } = tab.browser;
  tab.socket.end(1006);
  chat.markRead('old');
  await clock.advance(9_000);
  chat.markRead('new');
  await clock.advance(2_000);
  while (tab.socket.readyState !== 0) await clock.advance(1_000);
  tab.socket.accept();
  await clock.advance(100);
  const reads = tab.socket.sent.filter(({ read }) => read);
  assert.deepEqual(reads, [{ read: { conversation: 'new' } }]);
});

test('closing or leaving the page sends the queued acks and hands out nothing more', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  tab.socket.say(message('a'));
  await settle();
  tab.world.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(tab.socket.acks, [['a']]);
  chat.on('message', ({ id }) => { if (id === 'c') chat.close(); });
  for (const id of ['b', 'c', 'd']) tab.socket.say(message(id));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.messages, ['a', 'b', 'c']);
  assert.deepEqual(tab.socket.acks, [['a'], ['b']]);
  assert.deepEqual(JSON.parse(tab.browser.storage.getItem(KEY)), ['a', 'b', 'c'], 'c was handled, if too late to ack');
});

test('messages received before the chat closes for good are still handed out', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  await settle();
  tab.socket.accept();
  tab.socket.say(message('a'));
  tab.socket.end(4403);
  chat.on('message', ({ id }) => { tab.messages.push(id); });
  await settle();
  assert.deepEqual(tab.messages, ['a']);
});
