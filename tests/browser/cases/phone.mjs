import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

export const title = 'a phone shows the list or a conversation, and never scrolls sideways';

export default async function (browser) {
  const ben = await Person.register(browser, 'Phone Ben');
  const options = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
  const ann = await Person.register(browser, 'Phone Ann with a long name', options);
  const { page } = ann;
  const isNarrow = async () => {
    const wide = await page.locator('html, nav, main, #log').evaluateAll((parts) =>
      parts.filter((part) => part.scrollWidth > part.clientWidth).map((part) => part.localName));
    assert.deepEqual(wide, [], 'nothing scrolls sideways');
  };
  await ben.send(ann, `A word that has no end: ${'x'.repeat(200)}`);
  await ann.badges(ben, '1');
  await isNarrow();
  await ann.entry(ben).tap();
  await page.getByRole('heading', { name: ben.name }).waitFor();
  assert.equal(await page.getByRole('navigation').isVisible(), false);
  assert.equal(await page.locator('header:visible').count(), 1, 'one header at a time');
  await isNarrow();
  assert.notEqual(await page.evaluate(() => document.activeElement.id), 'text', 'the keyboard stays away');
  await ann.say('A short one');
  await isNarrow();

  const small = await page.locator('button:visible').evaluateAll((buttons) =>
    buttons.filter((button) => button.offsetHeight < 44).map((button) => button.outerHTML));
  assert.deepEqual(small, [], 'a finger hits every button');

  // The button of a message is in view without a mouse; dialogs fit, and a finger hits what is in them.
  const fits = async () => {
    const { x, y, width, height } = await page.getByRole('dialog').boundingBox();
    assert.ok(x >= 0 && y >= 0 && x + width <= 360 && y + height <= 640, JSON.stringify({ x, y, width, height }));
    const low = await page.locator('dialog :is(button, label:has(input[type=checkbox])):visible').evaluateAll((parts) =>
      parts.filter((part) => part.offsetHeight < 44).map((part) => part.outerHTML));
    assert.deepEqual(low, []);
    await isNarrow();
  };
  const button = page.getByRole('button', { name: 'Delete this message' });
  assert.equal(await button.evaluate((element) => getComputedStyle(element).opacity), '1');
  await button.tap();
  await page.getByRole('dialog', { name: 'Delete this message?' }).waitFor();
  await fits();
  await page.getByRole('button', { name: 'Delete for both' }).tap();
  await ann.reads('You deleted this message.');
  await isNarrow();

  await page.getByRole('button', { name: 'Back to the list' }).tap();
  await page.getByRole('button', { name: 'New group' }).tap();
  await page.getByRole('checkbox', { name: ben.name }).waitFor();
  await fits();
  await page.getByRole('button', { name: 'Cancel' }).tap();
  const team = await ann.createGroup('A group with a name of forty characters', [ben]);
  assert.equal(await page.locator('header:visible').count(), 1, 'one header at a time');
  await ben.open(team);
  await ben.say(`In the group: ${'y'.repeat(200)}`);
  await page.locator('#messages p', { hasText: 'In the group' }).waitFor();
  await isNarrow();
  await page.getByRole('button', { name: 'Back to the list' }).tap();
  await isNarrow();
  await ann.entry(ben).tap();
  await page.getByRole('button', { name: 'Back to the list' }).tap();
  assert.equal(await page.getByRole('navigation').isVisible(), true);
  assert.ok(await ann.entry(ben).evaluate((entry) => entry === document.activeElement));
  // The conversation is not in view any more, so the next message is unread.
  await ben.send(ann, 'Are you there?');
  await ann.badges(ben, '1');
  await isNarrow();
  assert.deepEqual(ann.problems, []);
}
