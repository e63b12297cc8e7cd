// Takes the pictures of the README: a conversation in the demo. Usage: node picture.mjs DESKTOP PHONE
import { argv } from 'node:process';
import { launch } from './browser.mjs';
import { Person } from './person.mjs';

const [desktop, phone] = argv.slice(2);
const browser = await launch();
const at = (options) => ({ deviceScaleFactor: 2, locale: 'en-GB', ...options });

const [ada, jonas, lena] = [
  await Person.register(browser, 'Ada'), await Person.register(browser, 'Jonas'), await Person.register(browser, 'Lena'),
];
const { CHATPUSH_TEST_MIRA, CHATPUSH_TEST_TOM } = process.env;
const wide = at({ viewport: { width: 880, height: 600 }, colorScheme: 'light' });
const mira = await Person.signIn(browser, 'Mira', CHATPUSH_TEST_MIRA, wide);
const phoneOf = at({ viewport: { width: 360, height: 660 }, colorScheme: 'dark', hasTouch: true, isMobile: true });
const tom = await Person.signIn(browser, 'Tom', CHATPUSH_TEST_TOM, phoneOf);

await lena.send(mira, 'The photos are in the album now.');
await jonas.send(mira, 'See you on Friday!');
await mira.open(lena);
await mira.say('They are beautiful, thank you.');
await mira.open(jonas);
await mira.reads('See you on Friday!');
await mira.open(tom);
await mira.say('Hello Tom! Is the bicycle still for sale?');
await tom.open(mira);
await tom.say('It is. New tyres since last week.');
await mira.say('Could I come by at ten?');
await tom.say('Ten is fine. The gate is open, just walk through to the yard.');
await tom.say('And bring a lock!');
await mira.reads('And bring a lock!');
await lena.leave();
await jonas.leave();
await mira.say('I will. Until tomorrow!');
await mira.page.getByRole('img', { name: 'Delivered' }).nth(2).waitFor();
await tom.reads('I will. Until tomorrow!');
await ada.send(mira, 'Do you have a minute?');
await ada.send(mira, 'It is about the concert on Sunday.');
await mira.entry(ada).locator('.badge', { hasText: '2' }).waitFor();
await mira.sees(lena, 'away');
await mira.sees(jonas, 'away');
await mira.page.evaluate(() => document.activeElement.blur());
await mira.page.screenshot({ path: desktop });
await tom.page.screenshot({ path: phone });
await browser.close();
