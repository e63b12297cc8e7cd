// Two people in two browsers, from the first hello to the read mark.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person, launch } from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

test('two people talk, one leaves, and returns to what was said', { timeout: 120_000 }, async () => {
  const buyer = await Person.arrive(browser, 'buyer');
  const seller = await Person.arrive(browser, 'seller');
  await buyer.open('seller');
  await seller.open('buyer');

  await seller.say('Good morning');
  await buyer.say('Good morning to you');
  assert.deepEqual(await buyer.reads(2), ['Good morning', 'Good morning to you']);
  assert.deepEqual(await seller.reads(2), ['Good morning', 'Good morning to you']);

  await buyer.signOut();
  await seller.sees('buyer', false);
  for (const text of ['Is it still there?', '<img src=x onerror=alert(1)>', 'I take it 👍']) {
    await seller.say(text);
  }
  await seller.page.getByText('waiting for them').nth(2).waitFor();

  await buyer.signIn();
  await buyer.badge('3');
  await buyer.page.locator('nav button', { hasText: 'seller' }).getByText('3', { exact: true }).waitFor();
  await buyer.open('seller');
  await buyer.badge('');
  assert.deepEqual(await buyer.reads(5), [
    'Good morning',
    'Good morning to you',
    'Is it still there?',
    '<img src=x onerror=alert(1)>',
    'I take it 👍',
  ]);

  await seller.sees('buyer', true);
  await seller.say('Deal');
  assert.equal((await buyer.reads(6)).at(-1), 'Deal');
  await buyer.page.reload();
  await buyer.page.getByText('online', { exact: true }).waitFor();
  await buyer.badge('');
  await buyer.open('seller');
  assert.equal((await buyer.reads(6)).length, 6, 'nothing comes a second time');

  assert.deepEqual([...buyer.problems, ...seller.problems], [], 'neither page has complained');
  await buyer.context.close();
  await seller.context.close();
});

test('a phone shows one thing at a time', { timeout: 60_000 }, async () => {
  const options = { viewport: { width: 390, height: 800 }, colorScheme: 'dark' };
  const buyer = await Person.arrive(browser, 'buyer', options);
  await buyer.open('seller');
  assert.equal(await buyer.page.getByRole('navigation').isVisible(), false);
  await buyer.page.getByRole('button', { name: 'Back to people' }).click();
  assert.equal(await buyer.page.getByRole('navigation').isVisible(), true);
  const width = await buyer.page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `the page is ${width} pixels wide`);
  assert.deepEqual(buyer.problems, []);
  await buyer.context.close();
});
