import assert from 'node:assert/strict';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a page that is reloaded during a flood shows every message once, in order';

export default async function (browser) {
  const ben = await Person.register(browser, 'Flood Ben');
  const ann = await Person.register(browser, 'Flood Ann');
  await ann.open(ben);
  const texts = Array.from({ length: 150 }, (_, number) => `number ${number}`);
  const flood = (async () => {
    for (const text of texts) assert.ok(await ben.send(ann, text));
  })();
  for (const number of [20, 50, 80, 110]) {
    await ann.reads(texts[number]);
    await ann.page.reload();
    await ann.open(ben);
  }
  await flood;
  await ann.reads(texts.at(-1));
  await ann.goBackTo(texts[0]);
  await ann.hasRead(texts);
  // A message that is shown and not confirmed yet would rightly be handed out again.
  await until('everything is confirmed', async () => (await ben.waiting(ann)).length === 0);
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(ben);
  await ann.reads(texts.at(-1));
  await ann.goBackTo(texts[0]);
  assert.equal(await ann.page.evaluate(() => document.activeElement.id), 'log', 'the focus is not lost');
  await ann.hasRead(texts);
  await ann.badges(ben, '');
  // Messages are handled one after the other, so each of the four reloads may have interrupted one.
  assert.ok(ann.handed.length <= texts.length + 4, `${ann.handed.length} were handed out`);
}
