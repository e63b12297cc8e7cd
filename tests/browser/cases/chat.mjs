import assert from 'node:assert/strict';
import { sql } from '../database.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'two people talk; one leaves and returns to all messages';

export default async function (browser) {
  const ann = await Person.register(browser, 'Chat Ann');
  const ben = await Person.register(browser, 'Chat Ben');
  await ann.page.reload();
  await ann.open(ben);
  await ben.open(ann);

  await ben.say('Good morning');
  await ann.reads('Good morning');
  await ann.say('Good morning to you');
  await ben.hasRead(['Good morning', 'Good morning to you']);
  const tick = (word) => ben.page.getByRole('log').getByRole('img', { name: word });
  await tick('Delivered').waitFor();

  // The last page is closed. The browser's storage stays.
  await ann.page.close();
  await ben.sees(ann, 'away');
  for (const text of ['Is it still there?', '<img src=x onerror=alert(1)>', 'I take it 👍']) await ben.say(text);
  await tick('Stored; waits until they are back').nth(2).waitFor();

  await ann.tab();
  await ann.is('Connected');
  await ann.badges(ben, '3');
  await tick('Delivered').nth(3).waitFor();
  await ann.open(ben);
  await ann.badges(ben, '');
  const said = ['Good morning', 'Good morning to you', 'Is it still there?', '<img src=x onerror=alert(1)>', 'I take it 👍'];
  await ann.hasRead(said);

  await ben.sees(ann, 'online');
  await ben.say('Deal');
  await ann.hasRead([...said, 'Deal']);
  const unread = `SELECT unread_count FROM user WHERE id = ${await ann.id()}`;
  await until('the page has said that it is read', async () => (await sql(unread)) === '0');
  await ann.page.reload();
  await ann.is('Connected');
  await ann.badges(ben, '');
  await ann.open(ben);
  await ann.hasRead([...said, 'Deal']);
  ann.wasHandedOnce();
  assert.deepEqual([...ann.problems, ...ben.problems], [], 'no page has errors');
}
