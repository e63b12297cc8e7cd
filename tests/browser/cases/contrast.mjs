import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { Wire } from '../wire.mjs';

export const title = 'every text has enough contrast, in light and dark mode';

/** The contrast that WCAG 2.2 requires for text (success criterion 1.4.3). */
const ENOUGH = 4.5;

export default async function (browser) {
  const ben = await Person.register(browser, 'Shade Ben');
  for (const colorScheme of ['light', 'dark']) {
    const wire = await Wire.to(demo);
    const ann = await Person.register(browser, `Shade ${colorScheme}`, { colorScheme, wire });
    const { page } = ann;
    const faint = [];
    const look = async (at = page) => faint.push(...(await at.evaluate(faintTexts, ENOUGH)));
    await ann.open(ben);
    await page.getByText('No messages yet. Say').waitFor();
    await look();
    await page.reload();
    await ben.send(ann, 'Hello https://example.org');
    await ann.badges(ben, '1');
    await look();
    await ann.open(ben);
    await ann.say('Hello to you https://example.org');
    await page.getByRole('img', { name: 'Delivered' }).waitFor();
    await look();
    await page.getByRole('button', { name: 'Delete this message' }).click();
    await page.getByRole('dialog').getByText('This cannot be undone').waitFor();
    await look();
    await page.getByRole('button', { name: 'Delete for both' }).click();
    await page.getByText('You deleted this message.').waitFor();
    await page.getByRole('button', { name: 'New group' }).click();
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('alert').getByText('Give the group').waitFor();
    await look();
    await page.keyboard.press('Escape');
    const team = await ann.createGroup(`Shades of ${colorScheme}`, [ben]);
    await ben.open(team);
    await ben.say('in the group');
    await ann.reads('in the group');
    await ben.delete('in the group');
    await ben.say('again in the group');
    await ann.reads('This message was deleted.');
    await ann.reads('again in the group');
    await look();
    wire.cut();
    await ann.say('written without a network');
    await page.getByText('It goes out by itself').waitFor();
    await page.getByText('The server cannot be reached').waitFor();
    await look();
    const start = await (await browser.newContext({ colorScheme })).newPage();
    await start.goto(`${demo}/sign-in.php`);
    await start.getByLabel('Name').fill('Shade Ben');
    await start.getByLabel('Password').fill('not the password');
    await start.getByRole('button', { name: 'Sign in' }).click();
    await start.getByRole('alert').waitFor();
    await look(start);
    wire.close();
    assert.deepEqual(faint, [], `too faint when ${colorScheme}`);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red] = ground.match(/\d+/g).map(Number);
    assert.equal(red < 64, colorScheme === 'dark', `${ground} when ${colorScheme}`);
    await page.close();
  }
}

/** The visible texts with too little contrast, and their contrast. Runs in the page. */
function faintTexts(enough) {
  const parts = (color) => color.match(/[\d.]+/g).map(Number);
  const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const background = (element) => {
    const [red, green, blue, alpha = 1] = parts(getComputedStyle(element).backgroundColor);
    return alpha === 1 || !element.parentElement ? [red, green, blue] : background(element.parentElement);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.hidden, template, script')) continue;
    const [one, other] = [parts(getComputedStyle(element).color), background(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < enough) found.push(`${element.textContent.trim()}: ${contrast.toFixed(2)}`);
  }
  return found;
}
