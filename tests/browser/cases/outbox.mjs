import assert from 'node:assert/strict';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a message that is not sent yet is in full view, survives a reload, and is sent once';

export default async function (browser) {
  const ben = await Person.register(browser, 'Outbox Ben');
  const ann = await Person.register(browser, 'Outbox Ann', { viewport: { width: 880, height: 480 } });
  const { page } = ann;
  await ann.open(ben);
  const texts = Array.from({ length: 12 }, (_, number) => `line ${number}`);
  for (const text of texts) await ben.send(ann, text);
  await ann.hasRead(texts);

  let attempts = 0;
  let answer = (route) => route.abort();
  await ann.context.route('**/send.php', (route) => {
    attempts++;
    return answer(route);
  });
  await ann.say('not sent yet');
  const notice = page.getByText('It goes out by itself');
  await notice.waitFor();
  const composer = page.getByRole('textbox', { name: 'Message' });
  const places = [page.locator('#messages li').last(), notice, composer];
  const boxes = await Promise.all(places.map((place) => place.boundingBox()));
  const log = await page.getByRole('log').boundingBox();
  const [message, said, field] = boxes;
  assert.ok(message.y + message.height <= log.y + log.height, 'all of the message is in view');
  assert.ok(log.y + log.height <= said.y && said.y + said.height <= field.y, 'nothing covers the notice');

  await page.reload();
  await ann.open(ben);
  await ann.hasRead([...texts, 'not sent yet']);
  await page.getByRole('img', { name: 'Being sent' }).waitFor();
  // The message is accepted, and the answers are lost.
  const before = attempts;
  answer = async (route) => {
    await route.fetch();
    await route.abort();
  };
  await until('it was sent again', () => attempts > before);
  await notice.waitFor({ state: 'hidden' });
  await page.getByRole('img', { name: 'Delivered' }).waitFor();
  const isKept = () => page.evaluate(() => Object.keys(localStorage).some((key) => key.startsWith('chat.outbox')));
  await until('the browser keeps it no longer', async () => !(await isKept()));
  await ann.hasRead([...texts, 'not sent yet']);
  await ben.page.reload();
  await ben.open(ann);
  await ben.hasRead([...texts, 'not sent yet']);
}
