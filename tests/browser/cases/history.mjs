import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a new browser has the whole history; what is in it and comes as stored is shown once';

/** Another browser of the person, which holds back the answers of one page until `release` is called. */
async function another(browser, { name, password, url }, held) {
  const person = new Person(name, password, url);
  await person.come(browser);
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await person.context.route(`**/${held}*`, async (route) => {
    await released;
    await route.continue();
  });
  await person.page.getByLabel('Name').fill(name);
  await person.page.getByLabel('Password').fill(password);
  await person.page.getByRole('button', { name: 'Sign in' }).click();
  return { person, release };
}

export default async function (browser) {
  const ann = await Person.register(browser, 'History Ann');
  const ben = await Person.register(browser, 'History Ben');
  await ann.page.reload();
  await ann.open(ben);
  await ann.say('Good morning');
  await ben.open(ann);
  await ben.reads('Good morning');
  await ann.id();
  await ann.page.close();
  await ben.sees(ann, 'away');
  const texts = ['Good morning', 'one', 'two', 'two'];
  for (const text of texts.slice(1, -1)) await ben.send(ann, text);
  const id = randomBytes(12).toString('hex');
  // The same words are another message, a retry of the same one is not.
  for (let attempt = 0; attempt < 3; attempt++) assert.ok(await ben.send(ann, 'two', id));

  // First from the history, then as stored.
  const first = await another(browser, ann, 'token.php');
  await first.person.open(ben);
  await first.person.hasRead(texts);
  await first.person.entry(ben).filter({ hasText: 'two' }).waitFor();
  await first.person.page.getByRole('img', { name: 'Delivered' }).waitFor();
  assert.deepEqual(first.person.handed, []);
  // First as stored, then from the history.
  const second = await another(browser, ann, 'messages.php');
  first.release();
  await first.person.is('Connected');
  await until('the stored messages have come', () => first.person.handed.length >= 3);
  await first.person.hasRead(texts);
  await second.person.is('Connected');
  await second.person.open(ben);
  await ben.send(ann, 'three');
  texts.push('three');
  await second.person.reads('three');
  second.release();
  for (const { person } of [first, second]) await person.hasRead(texts);

  // Both devices know what was read and what was sent on one of them.
  for (const { person } of [first, second]) await person.badges(ben, '');
  await first.person.say('from the first device');
  texts.push('from the first device');
  await second.person.hasRead(texts);
  await second.person.page.getByRole('img', { name: 'Delivered' }).nth(1).waitFor();
  await first.person.page.reload();
  await first.person.open(ben);
  await first.person.hasRead(texts);
  await first.person.page.getByRole('img', { name: 'Delivered' }).nth(1).waitFor();
  first.person.wasHandedOnce();
  assert.deepEqual([...first.person.problems, ...second.person.problems], []);
}
