// Takes the pictures of the admin page for the book. Usage: node admin-picture.mjs DESKTOP PHONE
import { argv } from 'node:process';
import { launch } from './browser.mjs';
import { admin } from './daemon.mjs';
import { sql } from './database.mjs';
import { Person } from './person.mjs';
import { until } from './until.mjs';

const [desktop, phone] = argv.slice(2);
const browser = await launch();
const people = [];
for (const name of ['Nora', 'Emil', 'Ida', 'Paul']) people.push(await Person.register(browser, name));
await sql(`INSERT INTO chatpush_dead (partition_id, log_id, entry, error, died_at)
  VALUES (63, '1-1', '[["v","1"]]', 'Column \\'folder\\' cannot be null', NOW())`);
const show = async (options) => {
  const page = await (await browser.newContext({ deviceScaleFactor: 2, locale: 'en-GB', ...options })).newPage();
  await page.goto(`${await admin()}/`);
  return page;
};
const pages = [
  [await show({ colorScheme: 'light', viewport: { width: 1040, height: 900 } }), desktop],
  [await show({ colorScheme: 'dark', viewport: { width: 360, height: 760 }, isMobile: true }), phone],
];
for (let round = 0; round < 30; round += 1) {
  for (const [at, person] of people.entries()) await person.send(people[(at + 1) % 4], `message ${round}`);
}
const [[page]] = pages;
const points = async () => ((await page.locator('svg path.one').first().getAttribute('d')) ?? '').split('L').length;
await until('there is something to see', async () => (await points()) > 25);
for (const [shown, file] of pages) await shown.screenshot({ path: file });
await sql("DELETE FROM chatpush_dead WHERE partition_id = 63 AND log_id = '1-1'");
await browser.close();
