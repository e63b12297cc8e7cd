import assert from 'node:assert/strict';
import { sql } from '../database.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a conversation shows presence, days and links; an empty one says so, and sends nothing';

export default async function (browser) {
  const ben = await Person.register(browser, 'Talk Ben');
  const ann = await Person.register(browser, 'Talk Ann', { locale: 'en-GB' });
  const { page } = ann;
  await ann.open(ben);
  await page.getByText('No messages yet. Say hello to Talk Ben.').waitFor();

  // Presence is the other user's, in the header. The state of the connection is apart from any name.
  const header = page.getByRole('region', { name: 'Talk Ben' }).locator('header');
  await header.getByText('Online', { exact: true }).waitFor();
  const beside = await page.locator('#state').evaluate((state) => state.parentElement.textContent);
  assert.equal(beside, 'This page: Connected');

  const send = page.getByRole('button', { name: 'Send' });
  const text = page.getByRole('textbox', { name: 'Message' });
  const isEnabled = async (wanted, why) => until(why, async () => (await send.isEnabled()) === wanted);
  await isEnabled(false, 'there is nothing to send');
  await text.fill(' \n ');
  await isEnabled(false, 'spaces are nothing to send');
  await text.fill('x');
  await isEnabled(true, 'a text can be sent');
  await text.fill('');

  const address = 'https://example.org/a_(b)?c=d&e=%22#f';
  const said = `See (${address}), <a href="//evil.example">here</a>, javascript:alert(1), data:text/html,x, `
    + 'http:, javascript://example.org/%0aalert(1) or HTTP://EXAMPLE.ORG.';
  await ann.say(said);
  assert.equal(await page.getByText('No messages yet. Say').isVisible(), false);
  await isEnabled(false, 'it was sent');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  const links = await page.locator('#messages a').evaluateAll((all) =>
    all.map(({ href, textContent, rel, target }) => ({ href, textContent, rel, target })));
  const how = { rel: 'noopener noreferrer', target: '_blank' };
  assert.deepEqual(links, [
    { href: address, textContent: address, ...how },
    { href: 'http://example.org/', textContent: 'HTTP://EXAMPLE.ORG', ...how },
  ]);
  assert.deepEqual(await ann.texts(), [said]);

  await ben.id();
  await ben.page.close();
  await header.getByText('Away').waitFor();
  await days(ann, ben);
  assert.deepEqual(ann.problems, []);
}

/** Messages of several days. The browser's clock stands at noon, so that midnight does not come between. */
async function days(ann, ben) {
  const { page } = ann;
  const noon = new Date().setHours(12, 0, 0, 0);
  const ago = (count) => new Date(noon).setDate(new Date(noon).getDate() - count);
  for (const text of ['second', 'third', 'fourth']) await ann.send(ben, text);
  const rows = await sql(`SELECT id FROM message WHERE sender_id = ${await ann.id()} ORDER BY id`);
  const times = [ago(400), ago(3), ago(1), ago(0)];
  for (const [at, row] of rows.split('\n').entries()) {
    await sql(`UPDATE message SET sent_at = ${times[at]} WHERE id = ${row}`);
  }
  await page.clock.setFixedTime(noon);
  await page.reload();
  await ann.open(ben);
  const shown = await until('all are shown', async () => {
    const lines = await page.locator('#messages > li').evaluateAll((all) =>
      all.map((line) => (line.className === 'day' ? line.textContent : line.querySelector('p').textContent)));
    return lines.includes('fourth') && lines;
  });
  const long = (time, year) => new Date(time)
    .toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long', ...year });
  const sameYear = new Date(ago(3)).getFullYear() === new Date(noon).getFullYear() ? {} : { year: 'numeric' };
  assert.deepEqual(shown.filter((line) => !line.startsWith('See')), [
    long(ago(400), { year: 'numeric' }), long(ago(3), sameYear), 'second',
    'Yesterday', 'third', 'Today', 'fourth',
  ]);

  // The list has the time of the last message: the clock today, a day before that.
  const listed = () => ann.entry(ben).locator('time').textContent();
  await until('the time is listed', async () => (await listed()) === '12:00');
  await page.clock.setFixedTime(new Date(noon).setDate(new Date(noon).getDate() + 1));
  await until('at the next look it is yesterday', async () => (await listed()) === 'Yesterday');
}
