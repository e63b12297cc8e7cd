import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';

export const title = 'the examples: plain PHP pages send and read, a page without a build step receives';

const examples = `${demo}/examples`;

/** Signs in at the plain PHP pages, with cookies of their own. */
async function signIn(browser, { name, password }) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${examples}/plain-php/sign-in.php`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: `Inbox of ${name}` }).waitFor();
  return page;
}

/** Sends a message by the form; what the page says of it. */
async function send(page, to, text) {
  await page.goto(`${examples}/plain-php/send.php`);
  await page.getByLabel('To').fill(to);
  await page.getByLabel('Text').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
  return page.getByRole('status').textContent();
}

export default async function (browser) {
  const people = [];
  for (const name of ['Example Ann', 'Example Ben']) {
    const person = await Person.register(browser, name);
    // The demo's own page would confirm what comes.
    await person.page.close();
    people.push(person);
  }
  const [ann, ben] = [await signIn(browser, people[0]), await signIn(browser, people[1])];

  const hostile = '<img src=x onerror=alert(1)>';
  assert.equal(await send(ben, 'Example Ann', hostile), 'Sent: the message waits for the receiver.');
  await ann.reload();
  await ann.getByText(hostile).waitFor();

  const problems = [];
  ann.on('pageerror', (error) => problems.push(String(error)));
  await ann.goto(`${examples}/browser/index.html`);
  await ann.locator('#state', { hasText: 'open' }).waitFor();
  await ann.getByRole('listitem').getByText(hostile).waitFor();
  await ann.locator('#unread', { hasText: '1' }).waitFor();
  assert.equal(await send(ben, 'Example Ann', 'live'), 'Sent: the receiver is connected.');
  await ann.getByRole('listitem').getByText('live').waitFor();
  await ann.locator('#unread', { hasText: '2' }).waitFor();
  await ann.getByRole('button', { name: 'Mark as read' }).click();
  await ann.locator('#unread', { hasText: '0' }).waitFor();
  assert.deepEqual(await ann.getByRole('listitem').allTextContents(), [hostile, 'live']);

  await ann.context().clearCookies();
  await ann.reload();
  await ann.getByRole('alert').getByText('Sign in first.').waitFor();
  assert.deepEqual(problems, []);
}
