import assert from 'node:assert/strict';
import { sql } from '../database.mjs';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';
import { Wire } from '../wire.mjs';

export const title = 'a message that is deleted for both is gone in every tab and device, also of who was away';

const MINE = 'You deleted this message.';
const THEIRS = 'This message was deleted.';

export default async function (browser) {
  const ben = await Person.register(browser, 'Recall Ben');
  const ann = await Person.register(browser, 'Recall Ann');
  const wire = await Wire.to(demo);
  const phone = await Person.signIn(browser, ben.name, ben.password, { wire });
  await ann.page.reload();
  await ann.open(ben);
  const second = await ann.tab();
  for (const tab of ann.context.pages()) await ann.open(ben, tab);
  for (const device of [ben, phone]) await device.open(ann);
  for (const text of ['keep', 'a mistake']) await ben.say(text);
  for (const tab of ann.context.pages()) await ann.hasRead(['keep', 'a mistake'], tab);
  await phone.hasRead(['keep', 'a mistake']);
  await ann.id();

  // A dialog asks before. Nobody but the sender has the button.
  assert.equal(await second.getByRole('button', { name: 'Delete this message' }).count(), 0);
  const line = ben.page.getByRole('listitem').filter({ hasText: 'a mistake' });
  const button = line.getByRole('button', { name: 'Delete this message' });
  const dialog = ben.page.getByRole('dialog', { name: 'Delete this message?' });
  await button.click();
  await dialog.getByText('a mistake').waitFor();
  await ben.page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.ok(await button.evaluate((element) => element === document.activeElement), 'the focus is back');
  await ben.hasRead(['keep', 'a mistake']);
  await button.click();
  await dialog.getByRole('button', { name: 'Delete for both' }).click();
  await ben.hasRead(['keep', MINE]);
  assert.ok(await ben.page.getByRole('log').evaluate((log) => log === document.activeElement));
  await phone.hasRead(['keep', MINE]);
  for (const tab of ann.context.pages()) await ann.hasRead(['keep', THEIRS], tab);
  await ann.entry(ben, second).filter({ hasText: 'Message deleted' }).waitFor();

  for (const tab of ann.context.pages()) await tab.close();
  await ben.sees(ann, 'away');
  for (const text of ['first', 'a slip', 'third']) await ben.say(text);
  await ben.page.getByRole('img', { name: 'Stored; waits' }).nth(2).waitFor();
  const waiting = () => sql(`SELECT COUNT(*) FROM offline_message WHERE receiver_id = ${ann.user}`);
  assert.equal(await waiting(), '3');
  await ben.delete('a slip');
  await ben.hasRead(['keep', MINE, 'first', MINE, 'third']);
  await until('nothing of it waits', async () => (await waiting()) === '2');
  await ann.tab();
  await ann.is('Connected');
  await ann.badges(ben, '2');
  await ann.open(ben);
  await ann.hasRead(['keep', THEIRS, 'first', THEIRS, 'third']);
  assert.doesNotMatch(await ann.page.content(), /a mistake|a slip/);
  const texts = await sql(`SELECT text FROM message WHERE sender_id = ${await ben.id()} ORDER BY id`);
  assert.deepEqual(texts.split('\n'), ['keep', '', 'first', '', 'third']);

  // A page without a connection misses it, and learns of it from the history, however much was said since.
  wire.cut();
  await phone.is('Connecting');
  await ben.delete('first');
  const later = Array.from({ length: 25 }, (_, number) => `number ${number}`);
  for (const text of later) await ben.send(ann, text);
  await ann.hasRead(['keep', THEIRS, THEIRS, THEIRS, 'third', ...later]);
  wire.pass();
  await phone.hasRead(['keep', MINE, MINE, MINE, 'third', ...later]);
  wire.close();
  assert.deepEqual([...ann.problems, ...ben.problems], []);
}
