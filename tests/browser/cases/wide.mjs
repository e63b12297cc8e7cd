import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

export const title = 'on a wide screen the messages of both stay close to each other';

export default async function (browser) {
  const ben = await Person.register(browser, 'Wide Ben');
  const ann = await Person.register(browser, 'Wide Ann', { viewport: { width: 1920, height: 1080 } });
  await ann.open(ben);
  await ben.send(ann, 'from the left');
  await ann.reads('from the left');
  await ann.say('from the right');
  const parts = ['#messages li:not(.day):not(.mine)', '#messages li.mine', '#send'];
  const boxes = parts.map((part) => ann.page.locator(part).boundingBox());
  const [left, right, composer] = await Promise.all(boxes);
  const between = right.x + right.width - left.x;
  assert.ok(between < 800, `${between} pixels from edge to edge`);
  const isAsWide = composer.x <= left.x && composer.x + composer.width >= right.x + right.width;
  assert.ok(isAsWide, 'the composer is below both');
}
