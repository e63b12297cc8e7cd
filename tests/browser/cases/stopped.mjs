import assert from 'node:assert/strict';
import { kill, start } from '../daemon.mjs';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'with the daemon stopped the page works, says why, and gets everything when it is back';

export default async function (browser) {
  const ben = await Person.register(browser, 'Stopped Ben');
  const ann = await Person.register(browser, 'Stopped Ann');
  await ben.page.reload();
  await ben.open(ann);
  await ben.say('before');
  await ann.open(ben);
  await ann.reads('before');
  await ann.id();
  await ann.page.close();
  await ben.sees(ann, 'away');
  await ben.say('it waits');
  await ben.page.getByRole('img', { name: 'Stored; waits' }).waitFor();
  await kill();

  // chatpush.js is the application's own. It is late: until then the page has the stub.
  const scripts = [];
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await ann.context.route('**/chatpush.js', async (route) => {
    scripts.push(route.request().url());
    await released;
    await route.continue();
  });
  ann.page = await ann.context.newPage();
  await ann.page.goto(demo, { waitUntil: 'commit' });
  await ann.open(ben);
  await ann.hasRead(['before', 'it waits']);
  assert.equal(await ann.page.evaluate(() => Array.isArray(window.ChatPush.queue)), true, 'it is the stub');
  await ann.say('written with the stub');
  await ann.page.getByRole('img', { name: 'Being sent' }).waitFor();
  release();

  const notice = ann.page.locator('#outage');
  await notice.getByText('Live connection lost').waitFor();
  await ann.is('No connection');
  await notice.getByText(/Why: .*\/ws answers 502, which is not chatpushd/).waitFor();
  assert.deepEqual(scripts, [`${demo}/js/chatpush.js`]);
  // Both pages write and read by PHP alone.
  await ben.say('written meanwhile');
  await ann.hasRead(['before', 'it waits', 'written with the stub', 'written meanwhile']);

  await start();
  for (const person of [ann, ben]) await person.is('Connected');
  await notice.waitFor({ state: 'hidden' });
  for (const person of [ann, ben]) {
    await person.page.getByRole('img', { name: 'Delivered' }).last().waitFor();
    const sending = person.page.getByRole('img', { name: 'Being sent' });
    await until('all was sent', async () => (await sending.count()) === 0);
    await person.hasRead(['before', 'it waits', 'written with the stub', 'written meanwhile']);
    person.wasHandedOnce();
  }
  await ben.say('live again');
  await ann.reads('live again');
  await until('everything is confirmed', async () => (await ben.waiting(ann)).length === 0);
}
