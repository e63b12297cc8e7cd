import assert from 'node:assert/strict';
import { kill, start } from '../daemon.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'the page polls while the daemon is away, and not while it is connected';

export default async function (browser) {
  const ann = await Person.register(browser, 'Silent Ann');
  await ann.page.clock.install();
  await ann.page.reload();
  let asked = 0;
  const open = new Set();
  ann.page.on('request', (request) => {
    if (!request.url().endsWith('/people.php')) return;
    asked++;
    open.add(request);
  });
  for (const end of ['requestfinished', 'requestfailed']) ann.page.on(end, (request) => open.delete(request));
  // When this has its answer, the page has dealt with those before, and what it has asked meanwhile is counted.
  const turn = () => ann.page.evaluate(() => fetch('people.php?turn').then((answer) => answer.text()));
  /** Lets a poll come due. Whether the page asks. */
  const asksLater = async () => {
    const before = asked;
    await until('all is answered', () => open.size === 0);
    await turn();
    await ann.page.clock.runFor(6_000);
    await turn();
    return asked > before;
  };

  await ann.is('Connected');
  await until('it asks for nothing', async () => !await asksLater());
  await kill();
  await ann.is('Connecting');
  for (let time = 1; time <= 10; time++) assert.ok(await asksLater(), `time ${time}`);
  await start();
  await ann.is('Connected');
  await until('it asks for nothing', async () => !await asksLater());

  // It hears of whoever registers.
  const ben = await Person.register(browser, 'Silent Ben');
  await ann.sees(ben, 'online');
  await ben.open(ann);
  await ben.say('hello');
  await ann.entry(ben).filter({ hasText: 'hello' }).waitFor();
}
