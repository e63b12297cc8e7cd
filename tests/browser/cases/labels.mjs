import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

export const title = 'a screen reader gets names for all controls, and new messages';

export default async function (browser) {
  const ben = await Person.register(browser, 'Label Ben');
  const ann = await Person.register(browser, 'Label Ann');
  const { page } = ann;
  const people = page.getByRole('navigation', { name: 'Chats' });
  const ofBen = (rest) => people.getByRole('button', { name: new RegExp(`^Label Ben ${rest}`) });
  await ofBen('online').waitFor();
  await ben.send(ann, 'Hello');
  await ofBen('online 1 new Hello').waitFor();
  await page.getByRole('status').filter({ hasText: '1 new since you last looked' }).waitFor();
  const announced = page.locator('[aria-live=polite]', { hasText: 'Label Ben: Hello' });
  await announced.waitFor({ state: 'attached' });
  assert.equal(await page.title(), '(1) Chat');

  await ofBen('').click();
  assert.equal(await ofBen('').getAttribute('aria-current'), '');
  const log = page.getByRole('log', { name: 'What was said' });
  await page.getByRole('region', { name: 'Label Ben' }).waitFor();
  assert.match(await log.ariaSnapshot(), /list:[^]*listitem: New[^]*listitem:[^]*Hello/);
  assert.equal(await log.getAttribute('aria-live'), 'off', 'opening a conversation does not read all of it aloud');
  await ann.say('And to you');
  await log.getByRole('listitem').filter({ hasText: 'You:' }).getByRole('img', { name: 'Delivered' }).waitFor();

  // In a group it is said who wrote what, and where.
  const team = await ben.createGroup('Label team', [ann]);
  const ofTeam = (rest) => people.getByRole('button', { name: new RegExp(`^Label team ${rest}`) });
  await ofTeam('group No messages yet').waitFor();
  await ben.say('Hello all');
  await ofTeam('group 1 new Label Ben: Hello all').waitFor();
  await page.locator('[aria-live=polite]', { hasText: 'Label Ben in Label team: Hello all' }).waitFor({ state: 'attached' });
  await ann.open(team);
  assert.match(await log.ariaSnapshot(), /listitem:[^]*Label Ben[^]*Hello all/);
  await page.getByRole('region', { name: 'Label team' }).getByRole('status').filter({ hasText: 'You, Label Ben' }).waitFor();
  await ann.say('And to all');
  await log.getByRole('button', { name: 'Delete this message' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete this message?' });
  await dialog.waitFor();
  const described = await dialog.evaluate((element) =>
    document.getElementById(element.getAttribute('aria-describedby')).textContent);
  assert.equal(described, 'And to all');
  await page.keyboard.press('Escape');
  await ben.delete('Hello all');
  await log.getByRole('listitem').filter({ hasText: 'Label Ben' }).getByText('This message was deleted.').waitFor();
  await page.getByRole('button', { name: 'New group' }).click();
  await page.getByRole('dialog', { name: 'New group' }).getByRole('group', { name: 'Members' })
    .getByRole('checkbox', { name: 'Label Ben' }).waitFor();
  await page.keyboard.press('Escape');

  const nameless = await page.evaluate(() => {
    const named = (element) => element.getAttribute('aria-label') || element.labels?.length || element.textContent.trim();
    const all = document.querySelectorAll('button, input:not([type=hidden]), textarea, [role=img], [role=log]');
    return [...all].filter((element) => !named(element)).map((element) => element.outerHTML);
  });
  assert.deepEqual(nameless, []);
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  assert.deepEqual([...ann.problems, ...ben.problems], []);
}
