import assert from 'node:assert/strict';
import { signInToExamples } from '../examples.mjs';
import { demo } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'the example of GatewayWorker: event code joins pages to a group and reaches the others';

export default async function (browser) {
  const pages = [];
  for (const [name, shop] of [['Gateway Ann', 'north'], ['Gateway Ben', 'north'], ['Gateway Cat', 'south']]) {
    const page = await signInToExamples(browser, name, 'gateway-worker/page.php');
    await page.goto(`${demo}/examples/gateway-worker/page.php?shop=${shop}`);
    pages.push(page);
  }
  const [ann, ben, cat] = pages;
  const tell = async (page, text) => {
    await page.getByLabel('Text').fill(text);
    await page.getByRole('button', { name: 'Tell everybody' }).click();
  };
  // The page does not show when its grant is in force: it is told until it hears.
  const hears = (page, from, text) => until(`${text} is heard`, async () => {
    await tell(from, text);
    return page.getByText(`notice: ${text}`, { exact: true }).first().isVisible();
  });
  await hears(ben, ann, '<i>hello</i>');
  await tell(cat, 'from the south');
  await hears(ann, ben, 'from the north');
  assert.equal(await ann.getByText('from the south').count(), 0);
}
