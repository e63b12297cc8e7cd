import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';
import { Wire } from '../wire.mjs';

export const title = 'two tabs share one connection; one takes over when the other closes';

export default async function (browser) {
  const wire = await Wire.to(demo);
  const ben = await Person.register(browser, 'Tabs Ben');
  const ann = await Person.register(browser, 'Tabs Ann', { wire });
  const first = ann.page;
  const second = await ann.tab();
  await ann.is('Connected');
  assert.equal(wire.open().length, 1);

  const texts = ['one', 'two', 'three'];
  for (const text of texts) await ben.send(ann, text);
  for (const tab of [first, second]) await ann.badges(ben, '3', tab);
  await ann.open(ben, second);
  for (const tab of [first, second]) await ann.badges(ben, '', tab);
  await ann.open(ben, first);
  for (const tab of [first, second]) await ann.hasRead(texts, tab);

  await ann.say('from the second tab');
  texts.push('from the second tab');
  for (const tab of [first, second]) await ann.hasRead(texts, tab);

  const leaving = first.close();
  for (let number = 4; number < 14; number++) {
    texts.push(`number ${number}`);
    assert.ok(await ben.send(ann, texts.at(-1)));
  }
  await leaving;
  await ann.is('Connected');
  await ann.hasRead(texts, second);
  await until('the first tab\'s connection is gone', () => wire.open().length === 1);
  assert.equal(wire.webSockets, 2, 'the second tab has connected once, after the first');
  for (const tab of [first, second]) {
    const ids = ann.handed.filter(({ page }) => page === tab).map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, 'no tab was handed a message twice');
  }
  wire.close();
}
