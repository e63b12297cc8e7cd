import { randomBytes } from 'node:crypto';
import { Installation, path, visit } from '../installation.mjs';
import { until } from '../until.mjs';

export const title = 'the example of customer service: a guest asks, the staff answers, the guest comes back';

export default async function (browser) {
  const password = randomBytes(12).toString('hex');
  const installation = await Installation.start(
    'examples/guest-support/chatpush.toml',
    path('examples/guest-support/public'),
    { variables: { CHAT_STAFF_PASSWORD: password } },
  );
  try {
    await talk(browser, installation.url, password);
  } finally {
    await installation.stop();
  }
}

async function talk(browser, url, password) {
  const staff = await visit(browser, url, 'sign-in.php');
  await staff.getByLabel('Name').fill('mira');
  await staff.getByLabel('Password').fill(password);
  await staff.getByRole('button', { name: 'Sign in' }).click();
  await staff.getByRole('heading', { name: 'Questions' }).waitFor();
  const guest = await visit(browser, url, 'page.php');
  for (const page of [staff, guest]) await page.locator('#state', { hasText: 'open' }).waitFor();
  const send = async (page, text) => {
    await page.getByLabel('Text').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText(`you: ${text}`, { exact: true }).waitFor();
  };
  await send(guest, '<b>Where is my order?</b>');
  await staff.getByText(/^guest\.[0-9a-f]{16}: <b>Where is my order\?<\/b>$/).waitFor();
  await send(staff, 'On its way.');
  await guest.getByText('staff.mira: On its way.', { exact: true }).waitFor();

  // Another guest gets nothing of it. The first one is away, and comes back with the same session.
  const other = await visit(browser, url, 'page.php');
  await other.locator('#state', { hasText: 'open' }).waitFor();
  await guest.goto('about:blank');
  await send(staff, 'It has arrived.');
  await guest.goto(`${url}/page.php`);
  await guest.getByText('staff.mira: It has arrived.', { exact: true }).waitFor();
  await send(other, 'a question of another');
  await staff.getByText(/: a question of another$/).waitFor();
  await send(staff, 'an answer to another');
  await other.getByText('staff.mira: an answer to another', { exact: true }).waitFor();
  await until('that is all', async () => (await other.getByRole('listitem').count()) === 2);
}
