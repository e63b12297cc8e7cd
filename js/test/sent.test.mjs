// Messages that were taken back, receipts, and copies for the sender.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, message, settle } from './world.mjs';

const alone = { share: false };
const recall = (...ids) => JSON.stringify({ type: 'recall', ids });

test('a recalled message that waits is not handed out, and is acked', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat(alone);
  const heard = [];
  let finish;
  chat.on('message', ({ id }) => {
    heard.push(id);
    return id === 'a' ? new Promise((resolve) => { finish = resolve; }) : undefined;
  });
  chat.on('recall', (ids) => { heard.push(ids); });
  await settle();
  tab.socket.accept();
  for (const id of ['a', 'b', 'c']) tab.socket.say(message(id));
  tab.socket.say(recall('b', 'a'));
  finish();
  await tab.browser.clock.advance(1);
  assert.deepEqual(heard, ['a', ['b', 'a'], 'c'], 'the page has the first one, and is told');
  assert.deepEqual(tab.socket.acks.flat().sort(), ['a', 'b', 'c']);
});

test('a recalled message that comes later is not handed out', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  tab.socket.say(recall('a'));
  tab.socket.say(message('a'));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.messages, []);
  assert.deepEqual(tab.socket.acks, [['a']]);
});

test('all tabs hear of recalls and receipts', async () => {
  const browser = new Browser();
  const [leader, follower] = [browser.tab(), browser.tab()];
  await leader.open();
  const chat = follower.chat();
  const heard = [];
  for (const event of ['recall', 'delivered']) chat.on(event, (value) => { heard.push(value); });
  await settle();
  leader.socket.say(recall('a'));
  leader.socket.say(JSON.stringify({ type: 'delivered', to: 9, ids: ['b'] }));
  leader.socket.say(message('a'));
  await browser.clock.advance(1);
  assert.deepEqual(heard, [['a'], { to: 9, ids: ['b'] }]);
  assert.deepEqual([leader.messages, follower.messages], [[], []]);
});

test('an application may name its own types so', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  const heard = [];
  for (const event of ['recall', 'delivered']) chat.on(event, (value) => { heard.push(value); });
  for (const type of ['recall', 'delivered']) {
    tab.socket.say(JSON.stringify({ id: type, type, data: 'x', ids: ['a'], time: 1 }));
  }
  await tab.browser.clock.advance(1);
  assert.deepEqual([tab.messages, heard], [['x', 'x'], []]);
});

const copy = (id, to, data = String(to)) => JSON.stringify({ ...message(id, data), from: 1, to });

test('each copy of one id is handed out once, and none is confirmed', async () => {
  const browser = new Browser();
  const [leader, follower] = [browser.tab(), browser.tab()];
  await leader.open();
  const heard = [];
  follower.chat().on('message', ({ to, data }) => { heard.push(to ?? data); });
  await settle();
  const lists = [Array.from({ length: 100 }, (_, at) => at + 2), [200, 201]];
  for (let time = 0; time < 2; time++) {
    for (const to of [...lists, 9, 'ann']) leader.socket.say(copy('1:a', to));
    // This user is one of the receivers: the message itself.
    leader.socket.say(message('1:a', 'itself'));
  }
  await browser.clock.advance(1);
  assert.deepEqual(heard, [...lists, 9, 'ann', 'itself']);
  assert.deepEqual(leader.messages, [...lists.map(String), '9', 'ann', 'itself']);
  assert.deepEqual([...new Set(leader.socket.acks.flat())], ['1:a']);
  const again = browser.tab();
  await again.open(alone);
  for (const to of [...lists, 9, 'ann', 10]) again.socket.say(copy('1:a', to));
  await browser.clock.advance(1);
  assert.deepEqual(again.messages, ['10'], 'another page of this browser has had the others');
  assert.deepEqual(again.socket.acks, []);
});

test('a message taken back leaves the copies of others', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  tab.socket.say(recall('1:a'));
  tab.socket.say(message('1:a', 'itself'));
  tab.socket.say(copy('1:a', 9));
  await tab.browser.clock.advance(1);
  assert.deepEqual(tab.messages, ['9']);
});
