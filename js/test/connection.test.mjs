// When and how the client connects and reconnects.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../src/chatpush.js';
import { Browser, message, settle, tokenOf } from './world.mjs';

const alone = { share: false };

/** Ends the current connection. Returns how long the client waits before the next one. */
async function waitAfter(tab, code) {
  const { clock } = tab.browser;
  const sockets = tab.sockets.length;
  tab.socket.end(code);
  await settle();
  const from = clock.now;
  while (tab.sockets.length === sockets && clock.now - from < 60_000) {
    const next = Math.min(...clock.timers.map(({ at }) => at));
    await clock.advance(next - clock.now);
  }
  return clock.now - from;
}

test('the URL may be relative, http or ws; the token is among the subprotocols', async () => {
  for (const [url, expected] of [
    [undefined, 'wss://shop.example/ws'],
    ['/push?room=1#x', 'wss://shop.example/push?room=1'],
    ['ws', 'wss://shop.example/chat/ws'],
    ['http://localhost:8089/ws', 'ws://localhost:8089/ws'],
    ['wss://push.example/ws', 'wss://push.example/ws'],
    [new URL('https://push.example/ws'), 'wss://push.example/ws'],
  ]) {
    const tab = new Browser().tab();
    tab.chat({ ...alone, url, token: ' t+1\n' });
    await settle();
    assert.equal(tab.socket.url, expected);
    assert.deepEqual(tab.socket.protocols, ['chatpush.v1', 'chatpush.token.t+1']);
  }
});

test('invalid options close the chat with an error, and connect() does not throw', async () => {
  const wrong = [undefined, null, 5, {}, { token: '' }, { token: ' ' }, { token: 5 }, { token: 't', name: { toString: null } }];
  wrong.push({ token: 't', url: 'ftp://a/ws' }, { token: 't', url: 'http://' });
  for (const options of wrong) {
    const tab = new Browser().tab();
    const chat = connect(options, tab.world);
    const events = [];
    chat.on('state', (state) => { events.push(state); });
    chat.on('error', (error) => { events.push(error.constructor); });
    assert.equal(chat.state, 'closed');
    await settle();
    assert.deepEqual(events, ['closed', TypeError]);
    chat.markRead();
    chat.on('message', () => {});
    chat.close();
    await settle();
    assert.equal(tab.sockets.length, 0);
    assert.equal(tab.browser.clock.timers.length, 0);
  }
});

test('handlers are checked at once', () => {
  const { world } = new Browser().tab();
  const chat = connect({ token: 't' }, world);
  assert.throws(() => chat.on('mesage', () => {}), TypeError);
  assert.throws(() => chat.on('message'), TypeError);
  chat.close();
});

test('the token function is called for every attempt, after connect has returned', async () => {
  const tab = new Browser().tab();
  let calls = 0;
  tab.chat({ ...alone, token: async () => `token${++calls}` });
  assert.equal(calls, 0);
  await settle();
  await waitAfter(tab, 1006);
  assert.deepEqual(tab.sockets.map(({ protocols }) => protocols[1]), ['chatpush.token.token1', 'chatpush.token.token2']);
});

test('a token function that fails or returns no token causes an error and a retry', async () => {
  const tab = new Browser().tab();
  const answers = [() => { throw new Error('no network'); }, () => '<html>502</html>', () => '', () => 't'];
  tab.chat({ ...alone, token: async () => answers.shift()() });
  await tab.browser.clock.advance(250 + 500 + 1_000);
  assert.equal(tab.errors.length, 3);
  assert.match(tab.errors[0].message, /no network/);
  assert.match(tab.errors[1].message, /returned no token/);
  assert.equal(tab.sockets.length, 1);
  assert.deepEqual(tab.states.slice(0, 3), ['waiting', 'connecting', 'waiting']);
});

test('the backoff doubles up to 30 seconds, with full jitter', async () => {
  const tab = new Browser().tab();
  tab.chat(alone);
  await settle();
  const waits = [];
  for (let refusal = 0; refusal < 9; refusal++) waits.push(await waitAfter(tab));
  assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  tab.browser.random = 0.25;
  assert.equal(await waitAfter(tab), 7_500);
});

test('a connection of 10 seconds resets the backoff, a shorter one does not', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  await waitAfter(tab, 1006);
  tab.socket.accept();
  await tab.browser.clock.advance(9_999);
  assert.equal(await waitAfter(tab, 1006), 500);
  tab.socket.accept();
  await tab.browser.clock.advance(10_000);
  assert.equal(await waitAfter(tab, 1006), 250);
});

test('each close code has its own wait', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  assert.equal(await waitAfter(tab, 1012), 1_000);
  for (const [code, wait] of [[1008, 250], [4000, 500], [4001, 1_000], [1012, 1_000]]) {
    tab.socket.accept();
    assert.equal(await waitAfter(tab, code), wait, String(code));
  }
});

test('an expired token is replaced at once, but only once', async () => {
  const tab = new Browser().tab();
  let calls = 0;
  await tab.open({ ...alone, token: () => `token${++calls}` });
  assert.equal(await waitAfter(tab, 4401), 0);
  assert.equal(calls, 2);
  assert.deepEqual(tab.states, ['open', 'connecting']);
  tab.socket.accept();
  assert.equal(await waitAfter(tab, 4401), 250);
});

test('close codes that would repeat close for good, with an error', async () => {
  for (const code of [1003, 1009, 4403]) {
    const tab = new Browser().tab();
    const chat = await tab.open(alone);
    tab.socket.end(code, 'because');
    tab.online();
    await tab.browser.clock.advance(100_000);
    assert.equal(chat.state, 'closed');
    assert.deepEqual(tab.states, ['open', 'closed']);
    assert.deepEqual(tab.errors.map((error) => error.code), [code]);
    assert.match(tab.errors[0].message, /because/);
    assert.equal(tab.sockets.length, 1);
    assert.equal(tab.browser.clock.timers.length, 0);
  }
});

test('a URL that the browser forbids closes for good, with its error', async () => {
  const forbidden = class { constructor() { throw new Error('SecurityError'); } };
  const tab = new Browser().tab({ WebSocket: forbidden });
  const chat = tab.chat(alone);
  await settle();
  assert.equal(chat.state, 'closed');
  assert.match(tab.errors[0].message, /SecurityError/);
});

test('the wait ends when the network or the user is back', async () => {
  for (const back of [(tab) => tab.online(), (tab) => tab.show()]) {
    const tab = new Browser().tab();
    await tab.open(alone);
    tab.socket.end(1006);
    tab.show(false);
    await settle();
    assert.equal(tab.sockets.length, 1);
    back(tab);
    await settle();
    assert.equal(tab.sockets.length, 2);
    await tab.browser.clock.advance(1_000);
    assert.equal(tab.sockets.length, 2, 'and the wait is not gone through as well');
  }
});

test('an attempt without a result times out after 30 seconds', async () => {
  const tab = new Browser().tab();
  const tokens = [new Promise(() => {}), 't', 't'];
  tab.chat({ ...alone, token: () => tokens.shift() });
  await tab.browser.clock.advance(30_250);
  assert.equal(tab.sockets.length, 1, 'no token came, the next one did');
  await tab.browser.clock.advance(30_500);
  assert.ok(tab.sockets[0].closedByPage, 'no handshake came');
  assert.equal(tab.sockets.length, 2);
});

test('a token of another user closes for good, a token without a user does not', async () => {
  const tab = new Browser().tab();
  const tokens = ['Unauthorized', tokenOf(7), 'Unauthorized', tokenOf(7), tokenOf(8)];
  const chat = tab.chat({ ...alone, token: () => tokens.shift() });
  await settle();
  for (let refusal = 0; refusal < 3; refusal++) await waitAfter(tab);
  assert.equal(tab.errors.length, 0);
  await waitAfter(tab);
  assert.equal(chat.state, 'closed');
  assert.equal(tab.sockets.length, 4);
  assert.match(tab.errors[0].message, /another user/);
});

test('a connection without an answer is dropped, if the daemon answers pings at all', async () => {
  const tab = new Browser().tab();
  const { clock } = tab.browser;
  await tab.open(alone);
  const pings = (socket) => socket.sent.filter(({ ping }) => ping === true).length;
  await clock.advance(90_000);
  assert.equal(pings(tab.socket), 6, 'an old daemon is asked every 18 seconds, and answers nothing');
  assert.equal(tab.sockets.length, 1);

  tab.socket.say({ pong: true });
  await clock.advance(18_000);
  tab.socket.say({ type: 'unread_count', data: 1 });
  await clock.advance(17_999);
  assert.equal(tab.sockets.length, 1, 'any frame is an answer');
  await clock.advance(1 + 10_000);
  assert.ok(tab.sockets[0].closedByPage);
  assert.deepEqual(tab.states, ['open', 'waiting']);
  tab.sockets[0].say(message('late'));
  await clock.advance(250);
  assert.equal(tab.sockets.length, 2, 'without waiting for the socket to report its end');
  assert.deepEqual(tab.messages, []);
  tab.socket.accept();
  await clock.advance(60_000);
  assert.equal(tab.sockets.length, 2, 'each connection finds out anew whether it is answered');
});

test('an open connection is pinged when the user is back', async () => {
  const tab = new Browser().tab();
  await tab.open(alone);
  tab.socket.say({ pong: true });
  tab.show();
  await tab.browser.clock.advance(10_000);
  assert.ok(tab.sockets[0].closedByPage);
});

test('close() ends everything, in every state', async () => {
  const early = new Browser().tab();
  early.chat(alone).close();
  await early.browser.clock.advance(60_000);
  assert.equal(early.sockets.length, 0);
  assert.deepEqual(early.states, ['closed']);

  const within = new Browser().tab();
  const chat = within.chat(alone);
  chat.on('state', () => chat.close());
  await settle();
  within.socket.accept();
  await settle();
  chat.close();
  within.online();
  within.show();
  await within.browser.clock.advance(60_000);
  assert.deepEqual(within.states, ['open', 'closed']);
  assert.ok(within.socket.closedByPage);
  assert.equal(within.browser.clock.timers.length, 0);
});
