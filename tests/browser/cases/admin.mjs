import assert from 'node:assert/strict';
import { admin } from '../daemon.mjs';
import { sql } from '../database.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'the admin page draws what happens, live, light and dark, and fits a phone';

export default async function (browser) {
  const url = `${await admin()}/`;
  const ann = await Person.register(browser, 'Admin Ann');
  await ann.page.reload();
  await sql(`INSERT INTO chatpush_dead (partition_id, log_id, entry, error, died_at)
    VALUES (63, '1-1', '[["v","1"]]', 'refused by <b id="injected">a trigger</b>', NOW())`);
  for (const options of [
    { colorScheme: 'light', viewport: { width: 1100, height: 800 } },
    { colorScheme: 'dark', viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true },
  ]) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const wrong = [];
    page.on('console', (message) => { if (message.type() === 'error') wrong.push(message.text()); });
    page.on('pageerror', (error) => wrong.push(error.message));
    const foreign = [];
    page.on('request', (request) => { if (!request.url().startsWith(url)) foreign.push(request.url()); });
    await page.goto(url);
    const tile = (name) => page.locator('.tile', { hasText: name }).locator('b');
    await until('the connection is counted', async () => Number(await tile('connections').textContent()) > 0);
    assert.equal(await tile('MySQL').first().textContent(), 'up');
    // The dead letter is what is not well, with the command that shows it. Its reason is shown as a text.
    await page.getByText('chatpushd dead list').waitFor();
    await page.locator('#dead').getByText('refused by <b id="injected">a trigger</b>').waitFor();
    assert.equal(await page.locator('#injected').count(), 0);
    // The lines get longer by themselves.
    const line = page.locator('svg path.one').first();
    const drawn = async () => (await line.getAttribute('d')).split('L').length;
    const first = await drawn();
    await until('the chart goes on', async () => (await drawn()) > first);
    const { scroll, width, back } = await page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth, width: innerWidth, back: getComputedStyle(document.body).backgroundColor,
    }));
    assert.ok(scroll <= width, `the page is ${scroll} wide on a screen of ${width}`);
    assert.equal(back, options.colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(246, 247, 249)');
    assert.deepEqual([wrong, foreign.filter((other) => !other.startsWith('data:'))], [[], []]);
  }
  await sql('DELETE FROM chatpush_dead WHERE partition_id = 63 AND log_id = \'1-1\'');
}
