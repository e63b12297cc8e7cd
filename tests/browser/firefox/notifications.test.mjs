// The whole way of a notification: PHP, daemon, push service, Firefox, worker, and a click.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createECDH, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { until } from '../until.mjs';
import { alerts, click } from './alerts.mjs';
import { Demo } from './demo.mjs';
import { Firefox } from './firefox.mjs';
import { PushService } from './push-service.mjs';
import { checkVapid } from './vapid.mjs';

const run = promisify(execFile);

/** For each test, in milliseconds. It is long, because the machine may be busy. */
const options = { timeout: 300_000 };

const [MIRA, TOM] = [1, 2];
const TITLE = 'New messages';

let folder, service, demo, firefox;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chatpush-push-'));
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name));
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=push', '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', key, '-out', cert]);
  service = await PushService.start({ cert: await readFile(cert), key: await readFile(key) });
  demo = await Demo.start({ CHATPUSH_WEB_PUSH_HOSTS: `127.0.0.1:${service.port}`, CHATPUSH_WEB_PUSH_CA: cert });
  firefox = await Firefox.launch(service.url);
});
after(async () => {
  await firefox?.stop();
  await demo?.stop();
  await service?.stop();
  await rm(folder, { recursive: true });
});

/** Waits until Firefox shows exactly this many notifications. */
const shows = (count) => until(`${count} notifications`, async () => (await alerts(firefox)).length === count);

/** Opens the demo in a tab and waits for the connection. */
async function come() {
  const page = await firefox.session.open(`${demo.url}/`);
  await until('it is connected', () => page.run("() => document.getElementById('state')?.textContent === 'Connected'"));
  return page;
}

/** Mira has no page any more, as far as the daemon knows. */
async function leave(page) {
  await page.close();
  await until('Mira is offline', async () =>
    (await demo.php('var_export(ChatPush\\isOnline((int) $argv[1]));', MIRA)) === 'false');
}

/** Another device of a user: it gets what waits, and confirms it. */
async function readElsewhere(user) {
  const token = await demo.php('echo ChatPush\\connectToken((int) $argv[1]);', user);
  const socket = new WebSocket(demo.env.CHATPUSH_TEST_WS_URL, ['chatpush.v1', `chatpush.token.${token}`]);
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data) => {
      const { id, type, data: count } = JSON.parse(data);
      if (id) socket.send(JSON.stringify({ ack: [id] }));
      else if (type === 'unread_count' && count > 0) socket.send('{"read":true}');
      else if (type === 'unread_count') resolve();
    });
  });
  socket.close();
}

/** A subscription of a user that no browser has: the push service takes what comes. */
async function subscribeElsewhere(user) {
  const keys = createECDH('prime256v1');
  const subscription = {
    endpoint: `https://127.0.0.1:${service.port}/push/${user}`,
    keys: { p256dh: keys.generateKeys('base64url'), auth: randomBytes(16).toString('base64url') },
  };
  service.channels.set(String(user), { socket: { send: () => {} } });
  await demo.php('ChatPush\\savePushSubscription((int) $argv[1], $argv[2]);', user, JSON.stringify(subscription));
  return () => service.pushes.filter(({ path }) => path === `/push/${user}`).length;
}

test('a user who is away gets a notification, and a click opens the chat', options, async () => {
  const page = await firefox.session.open(`${demo.url}/sign-in.php`);
  await page.run(`(password) => {
    document.querySelector('[name=username]').value = 'Mira';
    document.querySelector('[name=password]').value = password;
    document.querySelector('form button').click();
  }`, demo.env.CHATPUSH_TEST_MIRA);
  const notify = (what) => page.run(`() => document.getElementById('notify')?.${what}`);
  await until('the switch is there', async () => (await notify('hidden')) === false);
  await notify('click()');
  await until('notifications are on', async () => (await notify("getAttribute('aria-checked')")) === 'true');
  assert.equal(service.channels.size, 1);

  await leave(page);
  await demo.send(TOM, MIRA, 'Are you there?');
  await shows(1);
  const [[title, text]] = await alerts(firefox);
  assert.equal(title, TITLE);
  assert.doesNotMatch(text, /Are you there/, 'what the message says is told only with notify.show_content');

  assert.equal(service.pushes.length, 1);
  const [push] = service.pushes;
  const { headers } = push;
  assert.deepEqual([push.method, push.status, headers['content-encoding']], ['POST', 201, 'aes128gcm']);
  assert.equal(push.body.includes('New messages'), false, 'it is encrypted');
  checkVapid(push, push.channel.key, `https://127.0.0.1:${service.port}`);
  assert.match(headers.ttl, /^\d+$/);
  assert.match(headers.topic, /^[\w-]{1,32}$/, 'a later push replaces one that waits');
  assert.match(headers.urgency, /^(very-low|low|normal|high)$/);
  await until('Firefox has decrypted it', () => service.acknowledged.some(({ code }) => code === 100));

  await click(firefox);
  await until('the chat is open', async () => (await firefox.session.addresses()).includes(`${demo.url}/`));
  await shows(0);
});

test('reading on another device closes the notification', options, async () => {
  // The page that the click has opened.
  for (const page of await firefox.session.pages(`${demo.url}/`)) await leave(page);
  await readElsewhere(MIRA);
  await demo.send(TOM, MIRA, 'Last call');
  await shows(1);
  const page = await come();
  assert.equal((await alerts(firefox)).length, 1);
  await readElsewhere(MIRA);
  await shows(0);
  await leave(page);
});

test('a click gives the focus to the tab that shows the chat, and opens no other', options, async () => {
  for (const page of await firefox.session.pages(`${demo.url}/`)) await leave(page);
  await readElsewhere(MIRA);
  await demo.send(TOM, MIRA, 'Come back');
  await shows(1);
  const page = await come();
  // Without a screen Firefox does not change the tab that is shown, but the focus.
  const hasFocus = () => page.run('() => document.hasFocus()');
  await firefox.session.open('about:blank');
  await until('another tab has the focus', async () => !(await hasFocus()));
  await click(firefox);
  await until('the chat has the focus', hasFocus);
  await shows(0);
  // With another tab she would not be away.
  await leave(page);
  await demo.send(TOM, MIRA, 'Are you away?');
  await shows(1);
  await click(firefox);
  const opened = () => firefox.session.pages(`${demo.url}/`);
  await until('the chat is open', async () => (await opened()).length > 0);
  for (const other of await opened()) await leave(other);
  await readElsewhere(MIRA);
});

test('who has read on another device gets no notification', options, async () => {
  const pushesToTom = await subscribeElsewhere(TOM);
  const before = service.pushes.length;
  await demo.send(TOM, MIRA, 'You have seen this');
  await readElsewhere(MIRA);
  // Whoever gets a message later is told later.
  await demo.send(MIRA, TOM, 'Tom has not');
  await until('Tom is told', () => pushesToTom() === 1);
  assert.equal(service.pushes.length, before + 1);
  assert.deepEqual(await alerts(firefox), []);
});

test('what is switched off is told no more', options, async () => {
  const page = await come();
  const notify = (what) => page.run(`() => document.getElementById('notify').${what}`);
  await until('notifications are on', async () => (await notify("getAttribute('aria-checked')")) === 'true');
  await notify('click()');
  await until('notifications are off', async () => (await notify("getAttribute('aria-checked')")) === 'false');
  assert.equal(await demo.sql(`SELECT COUNT(*) FROM chatpush_push WHERE user_id = ${MIRA}`), '0');
  await leave(page);
});

test('who signs out is told no more in this browser', options, async () => {
  const page = await come();
  const notify = (what) => page.run(`() => document.getElementById('notify').${what}`);
  await until('notifications are off', async () => (await notify("getAttribute('aria-checked')")) === 'false');
  await notify('click()');
  await until('notifications are on', async () => (await notify("getAttribute('aria-checked')")) === 'true');
  const saved = () => demo.sql(`SELECT COUNT(*) FROM chatpush_push WHERE user_id = ${MIRA}`);
  assert.equal(await saved(), '1');
  await page.run(`() => document.querySelector('[action="sign-out.php"] button').click()`);
  await until('she has signed out', () => page.run("() => document.querySelector('[name=password]') !== null"));
  assert.equal(await saved(), '0');
  await page.close();
});
