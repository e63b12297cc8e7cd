import assert from 'node:assert/strict';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'the page can be used with the keyboard alone';

export default async function (browser) {
  const ben = await Person.register(browser, 'Keys Ben');
  const ann = await Person.register(browser, 'Keys Ann');
  const { page } = ann;
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement.closest('button, textarea, #log')?.textContent.trim());

  // Tab moves the focus to the entry of Ben.
  for (let stops = 0; !(await focused())?.includes(ben.name); stops++) {
    assert.ok(stops < 60, 'Tab does not lead to the people');
    await keyboard.press('Tab');
  }
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: ben.name }).waitFor();
  await keyboard.type('Hello');
  await keyboard.press('Shift+Enter');
  await keyboard.type('from the keyboard');
  await keyboard.press('Enter');
  await ann.hasRead(['Hello\nfrom the keyboard']);
  assert.equal(await page.getByRole('textbox', { name: 'Message' }).inputValue(), '');

  // Shift+Tab goes to the button of the last message that the server has; the arrow keys lead to the others. Enter deletes.
  await ann.say('Hello again');
  await page.locator('#messages .delete:not([hidden])').nth(1).waitFor({ state: 'attached' });
  await keyboard.press('Shift+Tab');
  const place = () => page.evaluate(() => document.activeElement.closest('li')?.querySelector('p').textContent);
  await until('the last message has the focus', async () => (await place()) === 'Hello again');
  await keyboard.press('ArrowUp');
  assert.equal(await place(), 'Hello\nfrom the keyboard');
  await keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Delete this message?' });
  await dialog.waitFor();
  assert.equal(await focused(), 'Cancel', 'the button that does no harm has the focus');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await ann.hasRead(['You deleted this message.', 'Hello again']);
  const inLog = () => page.getByRole('log').evaluate((log) => log === document.activeElement);
  await until('the messages have the focus', inLog);
  await keyboard.press('Tab');
  assert.equal(await place(), 'Hello again');

  // One more Shift+Tab goes to the messages, which scroll with the arrow keys. Escape goes to the list.
  await keyboard.press('Shift+Tab');
  assert.ok(await inLog());
  await keyboard.press('Escape');
  assert.ok(await ann.entry(ben).evaluate((entry) => entry === document.activeElement));

  // A group.
  for (let stops = 0; (await focused()) !== 'New group'; stops++) {
    assert.ok(stops < 60, 'Shift+Tab does not lead to the button');
    await keyboard.press('Shift+Tab');
  }
  await keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'New group' }).waitFor();
  await keyboard.type('Keys team');
  const chosen = () => page.evaluate(() => document.activeElement.closest('#members label')?.textContent.trim());
  for (let stops = 0; !(await chosen())?.includes(ben.name); stops++) {
    assert.ok(stops < 200, 'Tab does not lead to the people');
    await keyboard.press('Tab');
  }
  await keyboard.press('Space');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Keys team' }).waitFor();
  await keyboard.type('Hello team');
  await keyboard.press('Enter');
  await ann.hasRead(['Hello team']);
  await keyboard.press('Escape');

  // Every focused element has an outline.
  for (let stops = 0; stops < 8; stops++) {
    await keyboard.press('Tab');
    const outline = await page.evaluate(() => {
      const { activeElement } = document;
      return activeElement === document.body ? 'none needed' : getComputedStyle(activeElement).outlineStyle;
    });
    assert.notEqual(outline, 'none');
  }
}
