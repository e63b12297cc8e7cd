import { readFile } from 'node:fs/promises';
import { kill, start } from '../daemon.mjs';
import { sql } from '../database.mjs';
import { refuseStrangers, signInToExamples } from '../examples.mjs';
import { demo } from '../person.mjs';

export const title = 'the example of AJAX polling: pushes make it quick; it polls while the daemon is down';

const examples = `${demo}/examples`;

export default async function (browser) {
  await sql(await readFile(new URL('../../../examples/ajax-polling/schema.sql', import.meta.url), 'utf8'));
  const signIn = (name) => signInToExamples(browser, name, 'ajax-polling/page.php');
  const [ann, ben] = [await signIn('Polling Ann'), await signIn('Polling Ben')];
  await refuseStrangers(browser, 'ajax-polling/messages.php', 'ajax-polling/send.php');
  const id = (name) => sql(`SELECT id FROM user WHERE username = '${name}'`);
  // The poll once a minute would hide that no push has come.
  await ann.addInitScript(() => {
    const { setInterval } = window;
    window.setInterval = (handler, milliseconds) => (milliseconds < 60000 ? setInterval(handler, milliseconds) : 0);
  });
  // A frame says that pushes arrive from now on.
  const connected = () => ann.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived'));
  const first = connected();
  await ann.goto(`${examples}/ajax-polling/page.php?with=${await id('Polling Ben')}`);
  await ben.goto(`${examples}/ajax-polling/page.php?with=${await id('Polling Ann')}`);
  const state = (text) => ann.locator('#state', { hasText: text }).waitFor();
  const send = async (text) => {
    await ben.getByLabel('Text').fill(text);
    await ben.getByRole('button', { name: 'Send' }).click();
    await ann.getByRole('listitem').getByText(text, { exact: true }).waitFor();
  };

  await first;
  await state('open');
  await send('pushed');
  await kill();
  await state('waiting');
  await send('polled');
  await ann.reload();
  await ann.getByRole('listitem').getByText('polled', { exact: true }).waitFor();
  await send('polled by a page without chatpush.js');
  await start();
  const second = connected();
  await ann.reload();
  await second;
  await state('open');
  await send('pushed again');
}
