import assert from 'node:assert/strict';
import { sql } from '../database.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'unread messages are counted by conversation; reading one leaves the others';

export default async function (browser) {
  const [ann, ben, cas] = [
    await Person.register(browser, 'Count Ann'),
    await Person.register(browser, 'Count Ben'),
    await Person.register(browser, 'Count Cas'),
  ];
  await ann.id();
  await ann.page.close();
  for (const text of ['one', 'two']) await ben.send(ann, text);
  await cas.send(ann, 'three');
  await ann.tab();
  await ann.is('Connected');

  const badge = async (person) => ann.entry(person).locator('.badge').evaluate(({ hidden, firstElementChild }) =>
    (hidden ? 0 : Number(firstElementChild.textContent)));
  const counts = async () => [await badge(ben), await badge(cas), await ann.page.title()].join();
  const shows = (wanted) => until(`the counters are ${wanted}`, async () => (await counts()) === wanted)
    .catch(async () => assert.equal(await counts(), wanted));
  await shows('2,1,(3) Chat');
  const stored = () => sql(`SELECT conversation, unread FROM chatpush_unread WHERE user_id = ${ann.user}
    AND conversation <> '' AND unread > 0`);
  await ann.open(ben);
  await shows('0,1,(1) Chat');
  await until('the counters in the database too', async () => (await stored()) === `${await cas.id()}\t1`);
  // A line stands before the first new one.
  const lines = await ann.page.locator('#messages > li').evaluateAll((all) =>
    all.map((line) => (line.className === 'divider' ? line.textContent : line.querySelector('p')?.textContent)));
  assert.deepEqual(lines.filter(Boolean), ['New', 'one', 'two']);

  // What comes while the user looks at it does not count, elsewhere it does.
  await ben.send(ann, 'four');
  await ann.reads('four');
  await cas.send(ann, 'five');
  await shows('0,2,(2) Chat');
  assert.equal(await ann.page.locator('#messages .divider').count(), 1);

  // Without a connection the numbers come from PHP.
  await ann.context.route('**/token.php', (route) => route.abort());
  await ann.page.reload();
  await shows('0,2,(2) Chat');
  await ann.context.unrouteAll();
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(cas);
  await shows('0,0,Chat');
  await until('nothing is unread', async () => (await stored()) === '');
}
