// Takes the pictures of the README: a conversation in the demo. Usage: node picture.mjs DESKTOP PHONE
import { argv } from 'node:process';
import { launch } from './browser.mjs';
import { sql } from './database.mjs';
import { Person } from './person.mjs';

const [desktop, phone] = argv.slice(2);
const browser = await launch();
const at = (options) => ({ deviceScaleFactor: 2, locale: 'en-GB', ...options });

const others = [];
for (const name of ['Ada', 'Jonas', 'Lena']) others.push(await Person.register(browser, name));
const [ada, jonas, lena] = others;
const { CHATPUSH_TEST_MIRA, CHATPUSH_TEST_TOM } = process.env;
const wide = at({ viewport: { width: 880, height: 600 }, colorScheme: 'light' });
const mira = await Person.signIn(browser, 'Mira', CHATPUSH_TEST_MIRA, wide);
const size = { width: 360, height: 660 };
const touch = at({ viewport: size, colorScheme: 'dark', hasTouch: true, isMobile: true });
const tom = await Person.signIn(browser, 'Tom', CHATPUSH_TEST_TOM, touch);

const group = await mira.createGroup('Garden party', [ada, jonas, tom]);
for (const person of [ada, jonas, tom]) await person.entry(group).waitFor();
await mira.send(group, 'Who brings the tables?');
await jonas.send(group, 'I have two, and a lamp for later.');
await ada.send(group, 'Then I make the cake!');
await mira.reads('Then I make the cake!');
await lena.send(mira, 'The photos are in the album now.');
await mira.send(lena, 'They are beautiful, thank you.');
await jonas.send(mira, 'See you on Friday!');
await mira.open(lena);
await mira.open(jonas);
await mira.reads('See you on Friday!');
await mira.send(tom, 'Hello Tom! Is the bicycle still for sale?');
await tom.send(mira, 'It is. New tyres since last week.');
await mira.send(tom, 'Could I come by at ten?');
await tom.send(mira, 'Ten is fine. The gate is open, just walk through to the yard.');
await tom.send(mira, 'And bring a lock!');
await mira.open(tom);
await mira.reads('And bring a lock!');
await tom.open(mira);
await tom.reads('And bring a lock!');
await mira.send(tom, 'I will. Until tomorrow!');
await ada.send(mira, 'Do you have a minute?');
await ada.send(mira, 'It is about the concert on Sunday.');

// The messages were written over two days, and it is half past nine.
const now = new Date().setHours(9, 30, 0, 0);
const minutesAgo = [190, 184, 180, 1500, 1490, 1470, 830, 815, 806, 45, 44, 41, 12, 11];
for (const [row, minutes] of minutesAgo.entries()) {
  await sql(`UPDATE message SET sent_at = ${now - minutes * 60_000} WHERE id = ${row + 1}`);
}
for (const { page } of [mira, tom]) {
  await page.clock.setFixedTime(now);
  await page.reload();
}
await lena.leave();
await jonas.leave();
await mira.open(tom);
await tom.open(mira);
for (const person of [mira, tom]) await person.reads('I will. Until tomorrow!');
await mira.page.getByRole('img', { name: 'Delivered' }).nth(2).waitFor();
await mira.entry(ada).locator('.badge', { hasText: '2' }).waitFor();
await mira.sees(lena, 'away');
await mira.sees(jonas, 'away');
for (const { page } of [mira, tom]) await page.evaluate(() => document.activeElement.blur());
await mira.page.screenshot({ path: desktop });
await tom.page.screenshot({ path: phone });
await browser.close();
