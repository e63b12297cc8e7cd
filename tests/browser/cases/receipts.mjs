import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { Wire } from '../wire.mjs';

export const title = 'a page is told what was delivered, and asks only for what it has missed';

export default async function (browser) {
  const wire = await Wire.to(demo);
  const ben = await Person.register(browser, 'Receipt Ben', { wire });
  const ann = await Person.register(browser, 'Receipt Ann');
  await ann.id();
  await ann.page.close();
  await ben.page.reload();
  await ben.open(ann);
  await ben.sees(ann, 'away');
  const ticks = (word) => ben.page.getByRole('log').getByRole('img', { name: word });
  for (const text of ['one', 'two']) await ben.say(text);
  await ticks('Stored; waits until they are back').nth(1).waitFor();

  // From here on no page asks PHP what was delivered.
  for (const page of ['messages.php', 'waiting.php', 'people.php']) {
    await ben.context.route(`**/${page}*`, (route) => route.abort());
  }
  await ann.tab();
  await ticks('Delivered').nth(1).waitFor();
  await ann.page.close();
  await ben.say('three');
  await ticks('Stored').waitFor();
  const other = await Person.signIn(browser, ann.name, ann.password);
  await ticks('Delivered').nth(2).waitFor();
  await other.page.close();
  const asks = () => fetch('waiting.php').then(() => true, () => false);
  assert.equal(await ben.page.evaluate(asks), false, 'it could not ask');
  await ben.context.unrouteAll();

  // What is delivered while the page has no connection is missed, and asked for once it is back.
  await ben.say('four');
  await ticks('Stored').waitFor();
  wire.cut();
  await ben.is('Connecting');
  await ann.tab();
  await ann.is('Connected');
  await ann.open(ben);
  await ann.reads('four');
  wire.pass();
  await ticks('Delivered').nth(3).waitFor();
  ann.wasHandedOnce();
  wire.close();
}
