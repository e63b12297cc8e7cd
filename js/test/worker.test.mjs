// dist/chatpush-worker.js, as a browser runs it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { CHANGED } from '../src/worker/renew.js';

const script = await readFile(new URL('../dist/chatpush-worker.js', import.meta.url), 'utf8');

/** A worker, and what it has done. */
function worker({ windows = [], focus = true, badge = true } = {}) {
  const done = { shown: [], badges: [], opened: [], focused: [], said: [], subscribed: [] };
  const handlers = {};
  const clients = windows.map((url) => ({
    url,
    focus: async () => {
      if (!focus) throw new Error('InvalidAccessError');
      done.focused.push(url);
    },
    postMessage: (data) => { done.said.push([url, data]); },
  }));
  const self = {
    addEventListener: (event, handler) => { handlers[event] = handler; },
    skipWaiting: () => { done.skipped = true; },
    location: { href: 'https://shop.example/chatpush-worker.js' },
    navigator: badge ? { setAppBadge: async (count) => { done.badges.push(count); throw new Error('not installed'); } } : {},
    registration: {
      showNotification: async (title, options) => { done.shown.push({ title, ...options }); },
      pushManager: { subscribe: async (options) => { done.subscribed.push(options); throw new Error('push service error'); } },
    },
    clients: {
      matchAll: async ({ type, includeUncontrolled }) => (type === 'window' && includeUncontrolled ? clients : []),
      openWindow: async (url) => { done.opened.push(url); },
    },
  };
  runInContext(script, createContext({ self, URL }));
  const fire = async (event, more) => {
    let work;
    handlers[event]({ waitUntil: (promise) => { work = promise; }, ...more });
    await work;
  };
  return { fire, seen: () => JSON.parse(JSON.stringify(done)) };
}

const payload = {
  web_push: 8030,
  notification: { title: 'Shop', body: '2 new messages', navigate: '/chat/', tag: 'chatpush', lang: 'de', silent: false },
  app_badge: '2',
  chatpush: { user_id: '7', waiting: 2, unread: 2 },
};
const data = (value) => ({ json: () => (typeof value === 'string' ? JSON.parse(value) : value) });

test('a push shows its notification and the number on the icon', async () => {
  for (const badge of [true, false]) {
    const { fire, seen } = worker({ badge });
    await fire('push', { data: data(payload) });
    assert.deepEqual(seen().shown, [{
      title: 'Shop', body: '2 new messages', tag: 'chatpush', lang: 'de', silent: false, renotify: true,
      data: { navigate: '/chat/' },
    }]);
    assert.deepEqual(seen().badges, badge ? [2] : []);
  }
});

test('the number may stand in the notification too, as WebKit describes it', async () => {
  const { fire, seen } = worker();
  const { app_badge, notification, ...rest } = payload;
  await fire('push', { data: data({ ...rest, notification: { ...notification, app_badge } }) });
  assert.deepEqual(seen().badges, [2]);
  assert.equal(seen().shown[0].app_badge, undefined);
});

test('a push that cannot be read shows a notification all the same', async () => {
  const wrong = [null, data('{'), data('null'), data('[]'), data('{"notification":7}'), data('{"notification":{"title":7}}'),
    data('{"notification":{"title":"","tag":"","lang":{},"actions":7},"app_badge":"many"}')];
  for (const value of wrong) {
    const { fire, seen } = worker();
    await fire('push', { data: value });
    const [{ title, tag, data: { navigate } }] = seen().shown;
    assert.deepEqual([title, tag, navigate, seen().badges], ['New messages', 'chatpush', undefined, []]);
  }
});

/** Clicks the notification with this address. */
async function click(options, navigate) {
  const { fire, seen } = worker(options);
  let closed = false;
  await fire('notificationclick', { notification: { close: () => { closed = true; }, data: { navigate } } });
  assert.ok(closed);
  const { focused, opened } = seen();
  return { focused, opened };
}

test('a click brings the page to the front that is open, or opens it', async () => {
  const [shop, chat, other] = ['https://shop.example/', 'https://shop.example/chat/#7', 'https://shop.example/chat/#8'];
  const windows = [shop, chat, other];
  assert.deepEqual(await click({ windows }, '/chat/'), { focused: [chat], opened: [] });
  assert.deepEqual(await click({ windows }, '/chat/#8'), { focused: [other], opened: [] });
  assert.deepEqual(await click({ windows: [shop] }, '/chat/'), { focused: [], opened: ['https://shop.example/chat/'] });
  assert.deepEqual(await click({ windows }, 'https://other.example/chat/'),
    { focused: [], opened: ['https://other.example/chat/'] });
  assert.deepEqual(await click({ windows, focus: false }, '/chat/'),
    { focused: [], opened: ['https://shop.example/chat/'] });
  assert.deepEqual(await click({}, undefined), { focused: [], opened: [shop] });
});

test('when the browser ends the subscription the worker subscribes again and tells the pages', async () => {
  const { fire, seen } = worker({ windows: ['https://shop.example/chat/'] });
  await fire('pushsubscriptionchange', { oldSubscription: { options: { applicationServerKey: 'key' } } });
  await fire('pushsubscriptionchange', { oldSubscription: null });
  await fire('pushsubscriptionchange', { newSubscription: {}, oldSubscription: { options: { applicationServerKey: 'key' } } });
  assert.deepEqual(seen().subscribed, [{ userVisibleOnly: true, applicationServerKey: 'key' }]);
  assert.deepEqual(seen().said, Array(3).fill(['https://shop.example/chat/', CHANGED]));
});

test('a new version of the worker replaces the old one at once', async () => {
  const { fire, seen } = worker();
  await fire('install');
  assert.ok(seen().skipped);
});
