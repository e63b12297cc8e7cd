// Grants, presence, and events between clients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, settle } from './world.mjs';

const alone = { share: false };

/** An unsigned grant that lives for so many seconds. */
function grantOf(lifetime, name = '') {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: '7', iat: 1_000, exp: 1_000 + lifetime, name })}.c2ln`;
}

/** The grants that a socket was sent. */
const grants = (socket) => socket.sent.filter(({ grant }) => grant).map(({ grant }) => grant);

/** Ends the connection and opens the next one. */
async function reconnect(tab) {
  tab.socket.end(1006);
  await tab.browser.clock.advance(30_000);
  tab.socket.accept();
  await settle();
}

/** Records what a chat hands out. */
function record(chat) {
  const heard = [];
  chat.on('presence', (users) => { heard.push(users); });
  chat.on('event', (event) => { heard.push(event); });
  return heard;
}

test('the grant is sent on every connection', async () => {
  const tab = new Browser().tab();
  let calls = 0;
  await tab.open({ ...alone, grant: async () => ` ${grantOf(3600, ++calls)}\n` });
  assert.deepEqual(grants(tab.socket), [grantOf(3600, 1)]);
  await reconnect(tab);
  assert.deepEqual(grants(tab.socket), [grantOf(3600, 2)]);

  const other = new Browser().tab();
  await other.open({ ...alone, grant: grantOf(1) });
  await reconnect(other);
  assert.deepEqual(grants(other.socket), [grantOf(1)]);
  await other.browser.clock.advance(3_600_000);
  assert.deepEqual(other.errors, []);
});

test('a grant is fetched again before it expires, as long as the connection is open', async () => {
  const tab = new Browser().tab();
  let calls = 0;
  await tab.open({ ...alone, grant: () => grantOf(1_000, ++calls) });
  await tab.browser.clock.advance(899_999);
  assert.equal(grants(tab.socket).length, 1);
  await tab.browser.clock.advance(1);
  assert.deepEqual(grants(tab.socket), [grantOf(1_000, 1), grantOf(1_000, 2)]);
  tab.socket.end(1006);
  await tab.browser.clock.advance(10_000_000);
  assert.equal(calls, 2, 'no connection is accepted');
});

test('a page asks for a new grant after its peers have changed, from any tab', async () => {
  const browser = new Browser();
  let calls = 0;
  const options = { grant: () => grantOf(1_000, ++calls) };
  const [leader, follower] = [browser.tab(), browser.tab()];
  const [first, second] = [await leader.open(options), await follower.open(options)];
  first.renewGrant();
  await settle();
  second.renewGrant();
  await settle();
  assert.deepEqual([grants(leader.socket), calls], [[1, 2, 3].map((call) => grantOf(1_000, call)), 3]);
  leader.socket.end(1006);
  await settle();
  first.renewGrant();
  await settle();
  assert.equal(calls, 3, 'the next connection begins with a new one');
});

test('a refused grant is fetched again, and then the reason is told', async () => {
  const tab = new Browser().tab();
  let calls = 0;
  await tab.open({ ...alone, grant: () => grantOf(1_000, ++calls) });
  const refuse = async (error) => {
    tab.socket.say({ type: 'grant', error });
    await settle();
  };
  await refuse('token has expired');
  await tab.browser.clock.advance(0);
  assert.deepEqual([calls, tab.errors], [2, []], 'the page may have slept');
  await refuse('token signature does not match');
  assert.equal(tab.errors.at(-1).message, 'no grant: token signature does not match');
  await tab.browser.clock.advance(4_999);
  assert.equal(calls, 2);
  await tab.browser.clock.advance(1);
  assert.equal(calls, 3);
  // Once one is accepted, all is as at first.
  tab.socket.say({ type: 'grant', until: 2_000 });
  await refuse('token has expired');
  await tab.browser.clock.advance(0);
  assert.deepEqual([calls, tab.errors.length], [4, 1]);
});

test('a grant function that fails is an error event, and is called again', async () => {
  const tab = new Browser().tab();
  const answers = [() => { throw new Error('grant.php answered 500'); }, () => '<html>', () => grantOf(1_000)];
  const chat = await tab.open({ ...alone, grant: () => (answers.shift() ?? (() => grantOf(1_000)))() });
  await tab.browser.clock.advance(5_000);
  assert.deepEqual(grants(tab.socket), [grantOf(1_000)]);
  assert.equal(tab.errors[0].message, 'grant.php answered 500');
  assert.match(tab.errors[1].message, /returned no grant/);
  assert.equal(chat.state, 'open', 'messages need no grant');
});

test('a grant of another type is refused at once, without an exception', async () => {
  const tab = new Browser().tab();
  const chat = tab.chat({ ...alone, grant: 7 });
  await settle();
  assert.equal(chat.state, 'closed');
  assert.ok(tab.errors[0] instanceof TypeError);
});

test('presence and events are handed out, and are no messages', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open({ ...alone, grant: grantOf(1_000) });
  const heard = record(chat);
  tab.socket.say({ type: 'grant', until: 2_000 });
  tab.socket.say({ type: 'presence', users: { 9: true, 12: false } });
  tab.socket.say({ type: 'presence', users: { 12: true } });
  tab.socket.say({ type: 'event', event: 'typing', from: 7, value: [1] });
  // Messages of the application may have any type.
  tab.socket.say({ id: 'a', type: 'presence', data: 'mine', users: {}, time: 1 });
  tab.socket.say({ id: 'b', type: 'event', event: 'mine', data: 'too', time: 1, room: 'lobby' });
  await settle();
  assert.deepEqual(heard, [
    { 9: true, 12: false }, { 12: true }, { event: 'typing', from: 7, value: [1] },
  ]);
  assert.deepEqual([tab.messages, tab.unread, tab.errors], [['mine', 'too'], [], []]);
});

test('an event is sent while the chat is open, and is otherwise lost', async () => {
  const tab = new Browser().tab();
  const chat = await tab.open(alone);
  tab.socket.texts.length = 0;
  chat.event(9, 'typing', { in: 'a' });
  chat.event('bob', 'a.b_c-1');
  assert.deepEqual(tab.socket.sent, [
    { to: 9, event: 'typing', value: { in: 'a' } }, { to: 'bob', event: 'a.b_c-1', value: null },
  ]);
  for (const name of ['', 'Typing', 'a b', 'x'.repeat(33), undefined]) {
    assert.throws(() => chat.event(9, name), /a name has 1 to 32 of a-z, 0-9, _, \. and -$/, name);
  }
  chat.event(9, 'typing', 'v'.repeat(1_022));
  assert.throws(() => chat.event(9, 'typing', 'é'.repeat(512)), TypeError);
  tab.socket.end(1006);
  chat.event(9, 'typing');
  chat.close();
  chat.event(9, 'typing');
  assert.deepEqual(tab.errors, []);
});

test('all tabs share one grant, its presence and its events', async () => {
  const browser = new Browser();
  let calls = 0;
  const options = { grant: () => grantOf(1_000, ++calls) };
  const [leader, follower] = [browser.tab(), browser.tab()];
  const [first, second] = [await leader.open(options), await follower.open(options)];
  const [heard, heardToo] = [record(first), record(second)];
  leader.socket.say({ type: 'grant', until: 2_000 });
  leader.socket.say({ type: 'presence', users: { 9: true, 12: false } });
  leader.socket.say({ type: 'event', event: 'typing', from: 9, value: null });
  await settle();
  const expected = [{ 9: true, 12: false }, { event: 'typing', from: 9, value: null }];
  assert.deepEqual([heard, heardToo, calls], [expected, expected, 1]);

  second.event(9, 'typing', 1);
  await settle();
  assert.deepEqual(leader.socket.sent.at(-1), { to: 9, event: 'typing', value: 1 });

  // A tab that is opened later is told of the peers, once.
  const late = browser.tab();
  const chat = late.chat(options);
  const learned = record(chat);
  await settle();
  await late.browser.clock.advance(60_000);
  assert.deepEqual(learned, [{ 9: true, 12: false }]);
  leader.socket.say({ type: 'presence', users: { 12: true } });
  await settle();
  assert.deepEqual([learned.at(-1), heardToo.at(-1), heard.at(-1)], [{ 12: true }, { 12: true }, { 12: true }]);

  // Whoever takes over sends a grant of its own.
  first.close();
  await settle();
  follower.socket.accept();
  await settle();
  assert.deepEqual([grants(follower.socket), calls], [[grantOf(1_000, 2)], 2]);
});

test('a refusal is told in every tab', async () => {
  const browser = new Browser();
  const [leader, follower] = [browser.tab(), browser.tab()];
  await leader.open({ grant: grantOf(10) });
  await follower.open({ grant: grantOf(10) });
  leader.socket.say({ type: 'grant', error: 'token has expired' });
  await settle();
  for (const tab of [leader, follower]) {
    assert.deepEqual(tab.errors.map(({ message }) => message), ['no grant: token has expired']);
  }
});
