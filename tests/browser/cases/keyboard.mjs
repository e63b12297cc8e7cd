import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

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

  // Shift+Tab goes to the messages, which scroll with the arrow keys. Escape goes to the list.
  await keyboard.press('Shift+Tab');
  assert.ok(await page.getByRole('log').evaluate((log) => log === document.activeElement));
  await keyboard.press('Escape');
  assert.ok(await ann.entry(ben).evaluate((entry) => entry === document.activeElement));

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
