// Several tabs, of one user and of several users.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, message, settle, tokenOf } from './world.mjs';

/** Tabs that connected one after the other. The first is the leader. */
async function tabs(count, options = []) {
  const browser = new Browser();
  const opened = [];
  for (let number = 0; number < count; number++) {
    const tab = browser.tab();
    tab.api = await tab.open(options[number]);
    opened.push(tab);
  }
  return opened;
}

test('one tab has the connection and all get the same events', async () => {
  const [leader, follower, third] = await tabs(3);
  const { clock } = leader.browser;
  assert.deepEqual([leader, follower, third].map(({ sockets }) => sockets.length), [1, 0, 0]);
  leader.socket.say(message('a'));
  leader.socket.say({ type: 'text', data: 'no id', time: 1 });
  leader.socket.say({ type: 'unread_count', data: 3 });
  leader.socket.say(message('n', '{"type":"unread_count","data":4}'));
  await clock.advance(1);
  for (const tab of [leader, follower, third]) {
    assert.deepEqual(tab.messages, ['a', 'no id']);
    assert.deepEqual(tab.unread, [3, 4]);
    assert.equal(tab.api.state, 'open');
  }
  assert.deepEqual(leader.socket.acks, [['a', 'n']]);
  leader.socket.end(1006);
  await settle();
  assert.equal(follower.api.state, 'waiting');
});

test('a token is fetched once for the first connection', async () => {
  const tab = new Browser().tab();
  let calls = 0;
  await tab.open({ token: () => { calls++; return tokenOf(7); } });
  assert.deepEqual([calls, tab.sockets.length], [1, 1]);
});

test('a tab that is opened later gets the state and the counter', async () => {
  const [leader] = await tabs(1);
  leader.socket.say({ type: 'unread_count', data: 3 });
  await settle();
  const late = leader.browser.tab();
  const chat = await late.open();
  assert.equal(chat.state, 'open');
  assert.deepEqual(late.unread, [3]);
  assert.equal(late.sockets.length, 0);
});

test('when the leader closes, another tab takes over and repeats nothing', async () => {
  const [leader, follower, third] = await tabs(3);
  const { clock } = leader.browser;
  leader.socket.say(message('a'));
  await settle();
  leader.api.close();
  await settle();
  assert.deepEqual([follower, third].map(({ sockets }) => sockets.length), [1, 0]);
  follower.socket.accept();
  follower.socket.say(message('a'));
  follower.socket.say(message('b'));
  await clock.advance(1);
  assert.deepEqual(follower.socket.acks, [['a', 'b']]);
  assert.deepEqual([leader, follower, third].map(({ messages }) => messages), [['a'], ['a', 'b'], ['a', 'b']]);
  assert.equal(third.api.state, 'open');
});

test('the ack waits for the leader\'s handlers only, after the others got the message', async () => {
  const [leader, follower] = await tabs(2);
  let finish;
  leader.api.on('message', () => new Promise((resolve) => { finish = resolve; }));
  follower.api.on('message', () => { throw new Error('only here'); });
  leader.socket.say(message('a'));
  await leader.browser.clock.advance(1);
  assert.deepEqual(follower.messages, ['a']);
  assert.deepEqual(leader.socket.acks, []);
  finish();
  await leader.browser.clock.advance(1);
  assert.deepEqual(leader.socket.acks, [['a']]);
  assert.deepEqual([leader.errors.length, follower.errors.length], [0, 1]);
});

test('a message on which the leader failed comes again only in tabs that failed', async () => {
  const [leader, follower] = await tabs(2);
  const { clock } = leader.browser;
  const off = leader.api.on('message', () => { throw new Error('full'); });
  leader.socket.say(message('a'));
  await clock.advance(1);
  off();
  leader.socket.end(1006);
  await clock.advance(250);
  leader.socket.accept();
  leader.socket.say(message('a'));
  await clock.advance(1);
  assert.deepEqual(leader.messages, ['a', 'a']);
  assert.deepEqual(follower.messages, ['a']);
  assert.deepEqual(leader.socket.acks, [['a']]);
});

test('a leader without a message handler acks what another tab has handled', async () => {
  const browser = new Browser();
  const badge = browser.tab();
  badge.chat();
  await settle();
  badge.socket.accept();
  badge.socket.say(message('a'));
  await browser.clock.advance(1);
  assert.deepEqual(badge.socket.acks, []);
  const page = browser.tab();
  await page.open();
  badge.socket.say(message('b'));
  await browser.clock.advance(1);
  assert.deepEqual(page.messages, ['b']);
  assert.deepEqual(badge.socket.acks, [['b']], 'and what no tab has handled stays');
});

test('a conversation that a follower has read is sent by the leader, once', async () => {
  const [leader, follower] = await tabs(2);
  const reads = ({ socket }) => socket.sent.filter(({ read }) => read);
  follower.api.markRead('team');
  await settle();
  assert.deepEqual(reads(leader), [{ read: { conversation: 'team' } }]);
  leader.api.close();
  await settle();
  follower.socket.accept();
  await settle();
  assert.deepEqual(reads(follower), []);
});

test('a read that a frozen leader does not send is sent by the tab that takes over', async () => {
  const [leader, follower] = await tabs(2);
  const { clock } = leader.browser;
  const reads = ({ socket }) => socket.sent.filter(({ read }) => read);
  leader.asleep = true;
  follower.api.markRead('team');
  await clock.advance(5_000);
  follower.socket.accept();
  await settle();
  assert.deepEqual(reads(follower), [{ read: { conversation: 'team' } }]);
});

test('a leader that was frozen does not send a read that is old', async () => {
  const [leader] = await tabs(1);
  const { clock } = leader.browser;
  const at = clock.now;
  await clock.advance(20_000);
  const channel = [...leader.browser.channels][0];
  channel.onmessage({ data: { ask: 'status', readOf: 'old', at } });
  channel.onmessage({ data: { ask: 'status', readOf: 'new', at: clock.now } });
  await clock.advance(100);
  const reads = leader.socket.sent.filter(({ read }) => read);
  assert.deepEqual(reads, [{ read: { conversation: 'new' } }]);
});

test('a tab learns of other conversations at the same total', async () => {
  const [leader, follower] = await tabs(2);
  const counts = [];
  follower.api.on('unread', (...count) => counts.push(count));
  leader.socket.say({ type: 'unread_count', data: 2, by: { 7: 2 } });
  await settle();
  follower.asleep = true;
  leader.socket.say({ type: 'unread_count', data: 2, by: { 8: 2 } });
  await settle();
  follower.asleep = false;
  follower.world.dispatchEvent(new Event('online'));
  follower.world.dispatchEvent(new Event('online'));
  await settle();
  assert.deepEqual(counts, [[2, { 7: 2 }], [2, { 8: 2 }]]);
});

test('markRead is sent by the leader and is not lost when the leader closes', async () => {
  const [leader, follower, third] = await tabs(3);
  const reads = ({ socket }) => socket.sent.filter(({ read }) => read).length;
  third.api.markRead();
  await settle();
  assert.equal(reads(leader), 1);
  leader.socket.end(1006);
  await settle();
  third.api.markRead();
  await settle();
  leader.api.close();
  await settle();
  follower.socket.accept();
  await settle();
  assert.equal(reads(follower), 1, 'the tab that wished it has said so again');
  follower.api.close();
  await settle();
  third.socket.accept();
  await settle();
  assert.equal(reads(third), 0, 'what was sent is not sent again');
});

test('a follower that becomes visible wakes the leader\'s connection', async () => {
  const [leader, follower] = await tabs(2);
  leader.socket.end(1006);
  follower.show();
  await settle();
  assert.equal(leader.sockets.length, 2);
});

test('connection errors reach all tabs', async () => {
  const tokens = [tokenOf(7)];
  const [leader, follower] = await tabs(2, [{ token: () => tokens.shift() }]);
  leader.socket.end(1006);
  await leader.browser.clock.advance(250);
  for (const tab of [leader, follower]) assert.match(tab.errors[0].message, /returned no token/);
});

test('a leader that is forbidden to connect gives up, and so does each successor', async () => {
  const [leader, follower] = await tabs(2);
  leader.socket.end(4403);
  await settle();
  assert.equal(leader.api.state, 'closed');
  follower.socket.accept();
  follower.socket.end(4403);
  await settle();
  assert.equal(follower.api.state, 'closed');
  assert.deepEqual([leader, follower].map(({ errors }) => errors.length), [1, 1]);
  assert.equal(leader.browser.clock.timers.length, 0);
});

test('a frozen leader loses the lock to a visible tab, and follows when it runs again', async () => {
  const [leader, follower] = await tabs(2);
  const { clock } = leader.browser;
  await clock.advance(120_000);
  assert.equal(follower.sockets.length, 0, 'a leader that answers keeps the lead');
  leader.asleep = true;
  follower.show(false);
  await clock.advance(120_000);
  assert.equal(follower.sockets.length, 0, 'nobody looks');
  follower.show();
  await clock.advance(5_000);
  assert.equal(follower.sockets.length, 1);
  leader.asleep = false;
  await settle();
  follower.socket.accept();
  follower.socket.say(message('a'));
  await clock.advance(1);
  assert.ok(leader.socket.closedByPage);
  assert.deepEqual([leader.sockets.length, leader.api.state], [1, 'open']);
  for (const tab of [leader, follower]) assert.deepEqual(tab.messages, ['a']);
  follower.api.close();
  await settle();
  assert.equal(leader.sockets.length, 2, 'it is next in line again');
});

test('a tab that lost the lock again does not request it after it has closed', async () => {
  const [one, two] = await tabs(2);
  const { clock } = one.browser;
  for (const [sleeper, other] of [[one, two], [two, one]]) {
    sleeper.asleep = true;
    other.show();
    await clock.advance(5_000);
    sleeper.asleep = false;
    await clock.advance(0);
  }
  assert.deepEqual([one, two].map(({ sockets }) => sockets.length), [2, 1]);
  two.api.close();
  one.api.close();
  await clock.advance(60_000);
  assert.deepEqual([one, two].map(({ sockets }) => sockets.length), [2, 1]);
});

test('two users of one browser share nothing', async () => {
  const [seven, eight] = await tabs(2, [{}, { token: tokenOf(8) }]);
  assert.deepEqual([seven, eight].map(({ sockets }) => sockets.length), [1, 1]);
  seven.socket.say(message('a'));
  await seven.browser.clock.advance(1);
  eight.socket.say(message('a'));
  await seven.browser.clock.advance(1);
  assert.deepEqual([seven.messages, eight.messages], [['a'], ['a']]);
});

test('no sharing for tokens without a user, other names, other URLs and share: false', async () => {
  for (const options of [
    [{ token: 't' }, { token: 't' }], [{}, { name: 'other' }], [{}, { url: '/other' }], [{}, { share: false }],
  ]) {
    const opened = await tabs(2, options);
    assert.deepEqual(opened.map(({ sockets }) => sockets.length), [1, 1]);
  }
});

test('where the browser cannot share, every tab has its own connection', async () => {
  for (const parts of [
    { BroadcastChannel: undefined },
    { navigator: {} },
    { navigator: { locks: { request: () => Promise.reject(new Error('SecurityError')) } } },
    { navigator: { locks: { request: () => { throw new Error('SecurityError'); } } } },
    { BroadcastChannel: class { constructor() { throw new Error('SecurityError'); } } },
  ]) {
    const browser = new Browser();
    for (const tab of [browser.tab(parts), browser.tab(parts)]) {
      const chat = await tab.open();
      assert.equal(chat.state, 'open');
      tab.socket.say(message('a'));
      await settle();
      assert.deepEqual(tab.messages, ['a']);
      await browser.clock.advance(1);
      assert.deepEqual(tab.socket.acks, [['a']]);
      browser.storage.items.clear();
      chat.close();
      assert.equal(browser.clock.timers.length, 0);
    }
  }
});

test('a tab that closes while it waits for the lock never connects', async () => {
  const [leader, follower] = await tabs(2);
  follower.api.close();
  leader.api.close();
  await leader.browser.clock.advance(60_000);
  assert.equal(follower.sockets.length, 0);
  assert.equal(leader.browser.clock.timers.length, 0);
  assert.equal(leader.browser.channels.size, 0);
});
