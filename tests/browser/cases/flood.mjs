import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

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
  await ann.hasRead(texts);
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(ben);
  await ann.hasRead(texts);
  await ann.badges(ben, '');
  // Only messages that a reload interrupted may be handed out again.
  assert.ok(ann.handed.length <= texts.length + 4, `${ann.handed.length} were handed out`);
}
