// The README's picture: a real conversation on the real page. Usage: node picture.mjs FILE
import { Person, launch } from './browser.mjs';

const browser = await launch();
const options = { viewport: { width: 980, height: 560 }, deviceScaleFactor: 2, colorScheme: 'light' };
const buyer = await Person.arrive(browser, 'buyer', options);
const seller = await Person.arrive(browser, 'seller', options);
await buyer.open('seller');
await seller.open('buyer');
await buyer.say('Hello! Is the bicycle still for sale?');
await seller.say('It is. New tyres since last week.');
await buyer.say('Could I come by tomorrow at ten?');
await buyer.signOut();
await seller.sees('buyer', false);
await seller.say('Ten is fine.');
await seller.say('The gate is open, just walk through to the yard.');
await seller.say('And bring a lock!');
await buyer.signIn();
await buyer.badge('3');
await buyer.page.locator('nav button', { hasText: 'seller' }).getByText('3', { exact: true }).waitFor();
await buyer.sees('seller', true);
await buyer.open('seller');
await buyer.reads(6);
await buyer.page.screenshot({ path: process.argv[2] });
await browser.close();
