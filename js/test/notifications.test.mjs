// Notifications: permission, worker, subscription, and what the daemon is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGED } from '../src/worker/renew.js';
import { KEYS, PushBrowser, told } from './notifications-world.mjs';
import { Browser, settle, tokenOf } from './world.mjs';

const alone = { share: false };
const first = 'https://push.example/1';
const second = 'https://push.example/2';
const frame = (endpoint) => ({ push: { endpoint, expirationTime: null, keys: { p256dh: 'p', auth: 'a' } } });
const saved = (endpoint) => ({ type: 'push', saved: endpoint });

/** A promise with its result, to look at without waiting. */
function watch(promise) {
  const watched = { promise };
  promise.then(() => { watched.done = true; }, ({ message }) => { watched.error = message; });
  return watched;
}

/** An open tab of a browser with Web Push. The navigator has no locks. */
async function open({ push = new PushBrowser(), browser = new Browser(), parts, ...options } = {}) {
  const tab = browser.tab(push.parts(parts));
  const chat = await tab.open({ ...alone, ...options });
  return { push, browser, tab, chat };
}

/** The same with notifications on. */
async function enabled(options) {
  const page = await open(options);
  const enabling = watch(page.chat.enableNotifications());
  await settle();
  page.tab.socket.say(saved(page.push.subscription.endpoint));
  await settle();
  assert.ok(enabling.done, enabling.error);
  return page;
}

test('enabling asks the user, subscribes with the daemon\'s key, and ends when the daemon has saved it', async () => {
  const { push, tab, chat } = await open();
  assert.equal(chat.notifications, 'off');
  const enabling = watch(chat.enableNotifications());
  assert.equal(push.asked, 1, 'in the click itself');
  await settle();
  assert.deepEqual(push.requests, ['https://shop.example/vapid-public-key']);
  assert.equal(push.registration.script, 'https://shop.example/chatpush-worker.js');
  assert.equal(push.registration.scope, push.registration.script, 'it controls no page');
  assert.deepEqual(told(tab.socket), [frame(first)]);
  assert.equal(enabling.done, undefined);
  tab.socket.say(saved(second));
  await settle();
  assert.equal(enabling.done, undefined, 'the answer to another one');
  tab.socket.say(saved(first));
  await settle();
  assert.ok(enabling.done);
  assert.equal(chat.notifications, 'on');
  await chat.enableNotifications();
  assert.deepEqual([push.asked, push.subscribed, told(tab.socket).length], [1, 1, 1], 'nothing is repeated');
});

test('the worker and the key may be elsewhere', async () => {
  const { push } = await enabled({ worker: '/push/worker.js', url: 'wss://push.example/chat/ws' });
  assert.deepEqual(push.requests, ['https://push.example/chat/vapid-public-key']);
  assert.equal(push.registration.script, 'https://shop.example/push/worker.js');
});

const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15';
const IPAD = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15';
for (const [why, change, state, error] of [
  ['the page is not secure', { parts: { isSecureContext: false } }, 'unsupported', /need https, or localhost/],
  ['there is no Web Push', { parts: { PushManager: undefined } }, 'unsupported', /this browser has no Web Push/],
  ['it is an iPhone', { parts: { PushManager: undefined, navigator: { userAgent: IPHONE } } }, 'unsupported',
    /Add to Home Screen/],
  ['it is an iPad', { parts: { Notification: undefined, navigator: { userAgent: IPAD, maxTouchPoints: 5 } } },
    'unsupported', /Add to Home Screen/],
  ['it is a Mac', { parts: { Notification: undefined, navigator: { userAgent: IPAD, maxTouchPoints: 0 } } },
    'unsupported', /this browser has no Web Push/],
  ['the user has blocked it before', { set: { permission: 'denied' } }, 'denied', /are blocked: only the user can/],
  ['the user blocks it', { set: { answer: 'denied' } }, 'denied', /are blocked: only the user can/],
  ['the user does not answer', { set: { answer: 'default' } }, 'off', /the user has not allowed notifications/],
  ['nobody has clicked', { set: { active: false } }, 'off', /in the handler of a click/],
  ['the daemon has no keys', { set: { key: { status: 404, text: 'Web Push is off: set [web_push]' } } }, 'off',
    /vapid-public-key answers 404 and no key: Web Push is off: set \[web_push\]$/],
  ['a web server answers', { set: { key: { status: 200, text: '<html>' } } }, 'off', /answers 200 and no key: <html>/],
  ['the worker is not there', { set: { broken: true } }, 'off', /worker https:\/\/shop.example\/chatpush-worker.js cannot/],
  ['the push service is not reached', { set: { noService: true } }, 'off', /push service: push service error/],
]) {
  test(`enabling says what to do if ${why}`, async () => {
    const push = Object.assign(new PushBrowser(), change.set);
    const { chat } = await open({ push, parts: change.parts });
    await assert.rejects(chat.enableNotifications(), error);
    assert.equal(chat.notifications, state);
  });
}

test('what the daemon refuses is an error, and off', async () => {
  const { tab, chat } = await open();
  for (const refused of [first, '']) {
    const enabling = watch(chat.enableNotifications());
    await settle();
    tab.socket.say({ type: 'push', refused, reason: 'push.example is not in web_push.hosts' });
    await settle();
    assert.equal(enabling.error, 'chatpushd refuses: push.example is not in web_push.hosts');
    assert.equal(chat.notifications, 'off');
  }
});

test('without a connection it waits for one, for 30 seconds', async () => {
  const { browser, tab, chat } = await open();
  tab.socket.end();
  const enabling = watch(chat.enableNotifications());
  await settle();
  await browser.clock.advance(1_000);
  tab.socket.accept();
  await settle();
  assert.deepEqual(told(tab.socket), [frame(first)]);
  tab.socket.end();
  await browser.clock.advance(1_000);
  tab.socket.accept();
  await settle();
  assert.deepEqual(told(tab.socket), [frame(first)], 'no answer came: once more');
  await browser.clock.advance(30_000);
  assert.match(enabling.error, /no answer within 30 seconds/);
  tab.socket.end();
  await browser.clock.advance(30_000);
  tab.socket.accept();
  await settle();
  assert.deepEqual(told(tab.socket), [], 'it was given up');
});

test('later connections and pages tell nothing again, but what is a day old', async () => {
  const { push, browser, tab } = await enabled();
  tab.socket.end();
  await browser.clock.advance(1_000);
  tab.socket.accept();
  await settle();
  assert.deepEqual(told(tab.socket), []);
  const { tab: later, chat } = await open({ push, browser });
  assert.equal(chat.notifications, 'on');
  assert.deepEqual([told(later.socket), push.asked], [[], 1]);
  await browser.clock.advance(86_400_000);
  const { tab: next } = await open({ push, browser });
  assert.deepEqual(told(next.socket), [frame(first)]);
  assert.equal(push.subscribed, 1);
});

test('with a new key the next page subscribes again', async () => {
  const { push, browser } = await enabled();
  push.key.text = KEYS[1];
  const { tab, chat } = await open({ push, browser });
  assert.deepEqual(told(tab.socket), [frame(second)]);
  tab.socket.say(saved(second));
  await settle();
  assert.equal(chat.notifications, 'on');
  assert.deepEqual([push.asked, push.subscribed], [1, 2]);
});

test('a page learns from the worker that the browser has ended the subscription', async () => {
  const { push, tab, chat } = await enabled();
  push.subscription = null;
  push.say(CHANGED);
  await settle();
  assert.deepEqual(told(tab.socket), [frame(first), frame(second)]);
  tab.socket.say(saved(second));
  await settle();
  assert.equal(chat.notifications, 'on');
  chat.close();
  push.subscription = null;
  push.say(CHANGED);
  await settle();
  assert.equal(push.subscribed, 2, 'a chat that is closed does nothing');
});

test('what fails on a later page is an error event', async () => {
  const { push, browser } = await enabled();
  push.key = { status: 404, text: 'Web Push is off: set [web_push]' };
  const { tab } = await open({ push, browser });
  assert.match(tab.errors[0].message, /Web Push is off/);
});

test('another user of the browser has to enable them, and then the first has not', async () => {
  const { push, browser } = await enabled();
  const { chat } = await open({ push, browser, token: tokenOf(8) });
  assert.equal(chat.notifications, 'off');
  await enabled({ push, browser, token: tokenOf(8) });
  const { tab, chat: before } = await open({ push, browser });
  assert.equal(before.notifications, 'off');
  assert.deepEqual(told(tab.socket), []);
});

test('disabling unsubscribes, and ends when the daemon has removed it', async () => {
  const { push, tab, chat } = await enabled();
  const shown = push.show();
  const disabling = watch(chat.disableNotifications());
  await settle();
  assert.equal(push.subscription, null);
  assert.ok(shown.closed);
  assert.deepEqual(told(tab.socket).at(-1), { unpush: first });
  assert.equal(disabling.done, undefined);
  tab.socket.say({ type: 'push', removed: first });
  await settle();
  assert.ok(disabling.done);
  assert.equal(chat.notifications, 'off');
});

test('disabling while a page looks at its subscription ends it all the same', async () => {
  const { push, browser } = await enabled();
  const tab = browser.tab(push.parts());
  const chat = tab.chat(alone);
  await settle();
  tab.socket.accept();
  const disabling = watch(chat.disableNotifications());
  await settle();
  tab.socket.say({ type: 'push', removed: first });
  await settle();
  assert.ok(disabling.done);
  assert.deepEqual([chat.notifications, push.subscription, push.subscribed], ['off', null, 1]);
});

test('disabling needs neither a connection nor Web Push', async () => {
  const { push, tab, chat } = await enabled();
  tab.socket.end();
  await chat.disableNotifications();
  assert.deepEqual([push.subscription, chat.notifications], [null, 'off']);
  await chat.disableNotifications();
  const { chat: other } = await open({ parts: { navigator: { serviceWorker: undefined } } });
  await other.disableNotifications();
});

test('reading closes notifications, and the icon has the counter', async () => {
  const { push, tab, chat } = await enabled();
  const shown = push.show();
  tab.socket.say({ type: 'unread_count', data: 3 });
  await settle();
  assert.equal(shown.closed, false);
  chat.markRead();
  await settle();
  assert.ok(shown.closed);
  const other = push.show();
  tab.socket.say({ type: 'unread_count', data: 0 });
  await settle();
  assert.ok(other.closed, 'read on another device');
  assert.deepEqual(push.badges, [3, 0, 0]);
});

test('where notifications are off, no notification of others is closed', async () => {
  const { push, tab, chat } = await open();
  push.register('/sw.js', 'https://shop.example/');
  const shown = push.show();
  push.permission = 'granted';
  chat.markRead();
  tab.socket.say({ type: 'unread_count', data: 0 });
  await settle();
  assert.deepEqual([shown.closed, push.badges], [false, []]);
  await chat.disableNotifications();
  assert.equal(shown.closed, false, 'the worker of the application');
});

test('a tab without the connection enables them through the tab that has it', async () => {
  const browser = new Browser();
  const push = new PushBrowser();
  const parts = push.parts();
  parts.navigator.locks = browser.locks;
  const [leader, follower] = [browser.tab(parts), browser.tab(parts)];
  await leader.open();
  const chat = await follower.open();
  assert.equal(follower.sockets.length, 0);
  const enabling = watch(chat.enableNotifications());
  await settle();
  assert.deepEqual(told(leader.socket), [frame(first)]);
  leader.socket.say(saved(first));
  await settle();
  assert.ok(enabling.done);
  assert.equal(chat.notifications, 'on');
});

test('a chat that is closed has no notifications', async () => {
  const { chat } = await open();
  chat.close();
  await assert.rejects(chat.enableNotifications(), /this chat is closed/);
  const broken = (await open({ token: 7 })).chat;
  await assert.rejects(broken.disableNotifications(), /this chat is closed/);
  assert.equal(broken.notifications, 'unsupported');
});
