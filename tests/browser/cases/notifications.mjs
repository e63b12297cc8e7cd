import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'the worker shows what a push says, and reading closes it';

const WORKER = `${demo}/chatpush-worker.js`;

/** How long a push may take, in ms, before it is sent again. */
const RESEND_AFTER = 10_000;

/** Registers the worker as chatpush.js does. Runs in a page. */
async function register(worker) {
  const registration = await navigator.serviceWorker.register(worker, { scope: worker });
  const coming = registration.installing ?? registration.waiting;
  while (!registration.active) await new Promise((resolve) => { coming.onstatechange = resolve; });
}

/** The notifications that are shown. Runs in a page. */
async function shown(worker) {
  const registration = await navigator.serviceWorker.getRegistration(worker);
  return (await registration.getNotifications()).map(({ title, body, tag, lang, data }) =>
    ({ title, body, tag, lang, ...data }));
}

/** Gives the worker a push, as the browser does with one of its push service. */
async function pusher(person) {
  const protocol = await person.context.newCDPSession(person.page);
  const registrations = [];
  protocol.on('ServiceWorker.workerRegistrationUpdated', (update) => registrations.push(...update.registrations));
  await protocol.send('ServiceWorker.enable');
  const { registrationId } = await until('the worker is known', () =>
    registrations.find(({ scopeURL }) => scopeURL === WORKER));
  return (data) => protocol.send('ServiceWorker.deliverPushMessage', { origin: `${demo}/`, registrationId, data });
}

export default async function (browser) {
  const ann = await Person.register(browser, 'Notified Ann');
  const ben = await Person.register(browser, 'Notified Ben');
  const { page } = ann;
  await ann.context.grantPermissions(['notifications']);
  // Chromium subscribes at its own push service only, which the tests do not reach.
  await page.getByRole('switch', { name: 'Notify me' }).click();
  await page.getByRole('status').filter({ hasText: 'cannot subscribe at its push service' }).waitFor();
  assert.equal(await page.getByRole('switch').getAttribute('aria-checked'), 'false');

  await page.evaluate(register, WORKER);
  // As a push service that hears nothing, it sends again: Chromium drops a push whose worker starts too slowly.
  const push = await pusher(ann);
  const pushUntil = async (what, data, probe) => {
    let next = 0;
    await until(what, async () => {
      if (Date.now() >= next) {
        await push(data);
        next = Date.now() + RESEND_AFTER;
      }
      return probe();
    });
  };
  const show = () => page.evaluate(shown, WORKER);
  const notification = { title: 'Chat', body: '2 new', navigate: '/', tag: 'chatpush', lang: 'en' };
  const data = JSON.stringify({ web_push: 8030, notification, app_badge: '2' });
  await pushUntil('it is shown', data, async () => (await show()).length === 1);
  assert.deepEqual(await show(), [{ ...notification }]);
  await pushUntil('the default replaces it', 'not JSON', async () => (await show())[0].title === 'New messages');
  assert.equal((await show()).length, 1);

  // As if this browser had subscribed.
  await page.evaluate(([worker, user]) => {
    localStorage.setItem(`chatpush:push:${worker}`, JSON.stringify({ user, endpoint: 'none', time: Date.now() }));
  }, [WORKER, await ann.id()]);
  assert.ok(await ben.send(ann, 'two'));
  await ann.badges(ben, '1');
  assert.equal((await show()).length, 1, 'it is not read yet');
  await ann.open(ben);
  await until('reading closes it', async () => (await show()).length === 0);
  // Chromium remarks that the test's window is a private one.
  assert.deepEqual(ann.problems.filter((problem) => !problem.includes('incognito')), []);
}
