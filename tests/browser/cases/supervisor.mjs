import assert from 'node:assert/strict';
import { pid } from '../daemon.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a daemon that is killed by hand comes back by itself, and the page shows both';

export default async function (browser) {
  const ben = await Person.register(browser, 'Supervised Ben');
  const ann = await Person.register(browser, 'Supervised Ann');
  await ann.page.reload();
  await ann.open(ben);
  const states = [];
  await ann.page.exposeFunction('note', (state) => states.push(state));
  await ann.page.evaluate(() => {
    const state = document.getElementById('state');
    new MutationObserver(() => window.note(state.textContent)).observe(state, { childList: true });
  });
  const killed = await pid();
  process.kill(killed, 'SIGKILL');
  await until('the page notices', () => states.includes('Connecting…'));
  await ann.say('written meanwhile');
  await until('another daemon runs', async () => ![undefined, killed].includes(await pid()));
  await until('the page is connected again', () => states.at(-1) === 'Connected');
  await ann.page.getByRole('img', { name: 'Delivered' }).waitFor();
  await ben.page.reload();
  await ben.open(ann);
  await ben.hasRead(['written meanwhile']);
  assert.equal(await ann.page.getByRole('img', { name: 'Being sent' }).count(), 0);
}
