import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

export const title = 'every text has enough contrast, in light and dark mode';

/** The contrast that WCAG 2.2 requires for text (success criterion 1.4.3). */
const ENOUGH = 4.5;

export default async function (browser) {
  const ben = await Person.register(browser, 'Shade Ben');
  for (const colorScheme of ['light', 'dark']) {
    const ann = await Person.register(browser, `Shade ${colorScheme}`, { colorScheme });
    const { page } = ann;
    await ben.send(ann, 'Hello');
    await ann.badges(ben, '1');
    const faint = [...(await page.evaluate(faintTexts, ENOUGH))];
    await ann.open(ben);
    await ann.say('Hello to you');
    await page.getByRole('img', { name: 'Delivered' }).waitFor();
    faint.push(...(await page.evaluate(faintTexts, ENOUGH)));
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
