import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';
import { Wire } from '../wire.mjs';

export const title = 'a page shows who is typing and who is there, in every tab, without asking PHP';

/** Waits for the words below the name of the other user. */
async function shows(page, words) {
  await page.locator('#presence', { hasText: words }).waitFor();
}

export default async function (browser) {
  const ann = await Person.register(browser, 'Presence Ann');
  const wire = await Wire.to(demo);
  const ben = await Person.register(browser, 'Presence Ben', { wire });
  // Ann was there first, so her page learns of Ben later.
  await ann.sees(ben, 'online');
  await ann.open(ben);
  await ben.open(ann);
  const second = await ann.tab();
  await ann.open(ben, second);

  // From here on no page asks PHP who is online.
  for (const person of [ann, ben]) await person.context.route('**/people.php', (route) => route.abort());
  await ben.page.getByRole('textbox', { name: 'Message' }).pressSequentially('hello');
  for (const tab of ann.context.pages()) await shows(tab, 'is typing…');
  await ben.page.getByRole('button', { name: 'Send' }).click();
  await ann.reads('hello', second);
  await shows(second, 'Online');

  // Ann's page was granted nobody who came later, until it asked again.
  await second.getByRole('textbox', { name: 'Message' }).pressSequentially('hi');
  await shows(ben.page, 'is typing…');

  wire.close();
  await ben.page.close();
  for (const tab of ann.context.pages()) await shows(tab, 'Away');
  await until('nothing went wrong', () => ann.problems.every((text) => text.includes('Failed to load')));
  assert.deepEqual(await ann.texts(second), ['hello']);
}
