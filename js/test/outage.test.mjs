// No connection: why, and behind a proxy that drops the list of subprotocols.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, settle, tokenOf } from './world.mjs';

const alone = { share: false, token: 't' };
const IN_QUERY = 'wss://shop.example/ws?token=t&protocol=chatpush.v1';

/** Ends every attempt at once, as a server that refuses does, until the time is over. */
async function refuse(tab, milliseconds) {
  const { clock } = tab.browser;
  const end = clock.now + milliseconds;
  while (clock.now < end) {
    if (tab.socket?.readyState === 0) tab.socket.end();
    await clock.advance(Math.min(50, end - clock.now));
  }
}

test('after 30 seconds the state is unreachable and an error says why, once', async () => {
  for (const [answer, reason] of [
    [undefined, /https:\/\/shop.example\/ws does not answer/],
    [[401, 'token signature does not match\n'], /chatpushd refuses the connection: 401 token signature does not match$/],
    [[404, '<html>not found</html>'], /answers 404, which is not chatpushd/],
    [[200, '<!doctype html>'], /answers 200, which is not chatpushd/],
    [[200, 'ok\n'], /must forward the headers Upgrade and Connection/],
  ]) {
    const tab = new Browser().tab();
    tab.answer = answer;
    const chat = tab.chat(alone);
    await refuse(tab, 29_950);
    assert.deepEqual(tab.errors, []);
    assert.ok(!tab.states.includes('unreachable'));
    await refuse(tab, 60_000);
    assert.equal(chat.state, 'unreachable');
    assert.equal(tab.states.at(-1), 'unreachable', 'attempts change nothing');
    assert.equal(tab.errors.length, 1, String(reason));
    assert.match(tab.errors[0].message, reason);
    const [{ url, headers }] = tab.requests;
    assert.deepEqual([url, headers], ['https://shop.example/ws', { Authorization: 'Bearer t' }]);
  }
});

test('attempts go on, and the next outage begins anew', async () => {
  const tab = new Browser().tab();
  tab.chat(alone);
  await refuse(tab, 31_000);
  await tab.browser.clock.advance(30_000);
  tab.socket.accept();
  await tab.browser.clock.advance(10_000);
  assert.deepEqual(tab.states.slice(-2), ['unreachable', 'open']);
  tab.socket.end(1006);
  await refuse(tab, 29_000);
  assert.equal(tab.states.at(-1), 'waiting');
  await refuse(tab, 2_000);
  assert.equal(tab.states.at(-1), 'unreachable');
  assert.equal(tab.errors.length, 2);
});

test('the token goes into the query string where the subprotocols do not arrive', async () => {
  const tab = new Browser().tab();
  tab.answer = [200, 'ok\n'];
  tab.chat(alone);
  await settle();
  tab.socket.end();
  await settle();
  assert.equal(tab.sockets.length, 2, 'at once');
  assert.deepEqual([tab.socket.url, tab.socket.protocols], [IN_QUERY, undefined]);
  tab.socket.accept();
  await settle();
  // It stays so.
  tab.socket.end(1006);
  await tab.browser.clock.advance(1_000);
  assert.equal(tab.socket.url, IN_QUERY);
  assert.deepEqual(tab.errors, []);
});

test('a token is not put into the query string while the daemon refuses it or is down', async () => {
  for (const answer of [undefined, [401, 'token has expired'], [502, '<html>']]) {
    const tab = new Browser().tab();
    tab.answer = answer;
    tab.chat(alone);
    await refuse(tab, 90_000);
    assert.ok(tab.sockets.length > 5);
    assert.ok(tab.sockets.every(({ url }) => !url.includes('token')), String(answer));
  }
});

test('where neither way works, the token is in one attempt\'s query string at first', async () => {
  const tab = new Browser().tab();
  tab.answer = [200, 'ok'];
  tab.chat(alone);
  await refuse(tab, 90_000);
  assert.equal(tab.sockets.filter(({ url }) => url === IN_QUERY).length, 1);
});

test('a daemon that has accepted the token once is not asked before 30 seconds', async () => {
  const tab = new Browser().tab();
  tab.answer = [200, 'ok'];
  await tab.open(alone);
  tab.socket.end(1012);
  await refuse(tab, 29_000);
  assert.deepEqual(tab.requests, []);
  await refuse(tab, 2_000);
  assert.equal(tab.requests.length, 1);
  assert.equal(tab.sockets.filter(({ url }) => url === IN_QUERY).length, 1, 'the network may be another one now');
});

test('without a token the reason is the token function', async () => {
  for (const [token, reason] of [
    [() => { throw new Error('no session'); }, /no connection for 30 seconds: no session/],
    [() => new Promise(() => {}), /the token function has returned nothing yet/],
  ]) {
    const tab = new Browser().tab();
    tab.chat({ ...alone, token });
    await tab.browser.clock.advance(31_000);
    assert.match(tab.errors.at(-1).message, reason);
    assert.deepEqual(tab.requests, []);
  }
});

test('a device that is offline says so', async () => {
  const tab = new Browser().tab();
  tab.world.navigator = { onLine: false };
  tab.chat(alone);
  await refuse(tab, 31_000);
  assert.match(tab.errors[0].message, /offline/);
  assert.deepEqual(tab.requests, []);
});

test('a handler may close the chat when it learns of the outage', async () => {
  for (const event of ['state', 'error']) {
    const tab = new Browser().tab();
    const chat = tab.chat(alone);
    chat.on(event, (value) => { if (event === 'error' || value === 'unreachable') chat.close(); });
    await refuse(tab, 90_000);
    assert.equal(chat.state, 'closed');
    assert.equal(tab.states.at(-1), 'closed');
    assert.ok(tab.errors.length <= 1);
    const sockets = tab.sockets.length;
    await tab.browser.clock.advance(90_000);
    assert.equal(tab.sockets.length, sockets);
    assert.equal(tab.browser.clock.timers.length, 0);
  }
});

test('all tabs learn of the outage and of its reason', async () => {
  const browser = new Browser();
  const [leader, follower] = [browser.tab(), browser.tab()];
  leader.chat({ token: tokenOf(7) });
  await settle();
  const chat = follower.chat({ token: tokenOf(7) });
  await settle();
  leader.answer = [403, 'origin is not allowed'];
  await refuse(leader, 31_000);
  assert.equal(chat.state, 'unreachable');
  assert.match(follower.errors[0].message, /403 origin is not allowed/);
  assert.equal(follower.sockets.length, 0);
  await browser.clock.advance(30_000);
  leader.socket.accept();
  await settle();
  assert.equal(chat.state, 'open');
});
