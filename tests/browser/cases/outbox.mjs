import { sql } from '../database.mjs';
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

  // Another tab has nothing to send.
  const other = await ann.tab();
  ann.page = page;
  await page.bringToFront();
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
  const places = [page.locator('#messages li').last(), page.getByRole('log'), notice, composer];
  await until('the message is in full view, and so is the notice', async () => {
    const [message, log, said, field] = await Promise.all(places.map((place) => place.boundingBox()));
    const below = (one, other) => one.y + one.height <= other.y;
    return message.y + message.height <= log.y + log.height && below(log, said) && below(said, field);
  });

  await ann.open(ben, other);
  await ann.hasRead(texts, other);
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

  // What the server refuses is not repeated, and the page says why.
  await sql(`DELETE FROM user WHERE id = ${await ben.id()}`);
  answer = (route) => route.continue();
  await ann.say('to nobody');
  await page.getByRole('img', { name: 'Not sent' }).waitFor();
  await page.getByText('This user does not exist.').waitFor();
}
