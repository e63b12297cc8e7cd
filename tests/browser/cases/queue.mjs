import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { kill, start } from '../daemon.mjs';
import { sql } from '../database.mjs';
import { refuseStrangers, signInToExamples } from '../examples.mjs';
import { demo } from '../person.mjs';

export const title = 'the example of a history and a queue: each message once, also around a killed daemon';

export default async function (browser) {
  const schema = new URL('../../../examples/history-and-queue/schema.sql', import.meta.url);
  await sql(await readFile(schema, 'utf8'));
  const names = ['Queue Ann', 'Queue Ben'];
  const signIn = (name) => signInToExamples(browser, name, 'history-and-queue/page.php');
  const [ann, ben] = [await signIn(names[0]), await signIn(names[1])];
  await refuseStrangers(browser, 'history-and-queue/messages.php', 'history-and-queue/send.php');
  const ids = await Promise.all(names.map((name) => sql(`SELECT id FROM user WHERE username = '${name}'`)));
  const open = (page, peer) => page.goto(`${demo}/examples/history-and-queue/page.php?with=${peer}`);
  const state = (text) => ann.locator('#state', { hasText: text }).waitFor();
  const texts = () => ann.getByRole('listitem').allTextContents();
  const send = async (text) => {
    await ben.getByLabel('Text').fill(text);
    await ben.getByRole('button', { name: 'Send' }).click();
    await ben.getByRole('listitem').getByText(text, { exact: true }).waitFor();
  };
  const arrives = (text) => ann.getByRole('listitem').getByText(text, { exact: true }).waitFor();

  await open(ben, ids[0]);
  await send('stored');
  await open(ann, ids[1]);
  await state('open');
  await arrives('stored');
  await send('live');
  await arrives('live');
  await ann.locator('#unread', { hasText: '2' }).waitFor();
  await kill();
  await state('waiting');
  await send('kept');
  await start();
  await state('open');
  await arrives('kept');
  await send('live again');
  await arrives('live again');
  assert.deepEqual(await texts(), ['stored', 'live', 'kept', 'live again']);
  await ann.reload();
  await arrives('live again');
  assert.deepEqual(await texts(), ['stored', 'live', 'kept', 'live again']);
  await ann.evaluate(() => dispatchEvent(new Event('focus')));
  await ann.locator('#unread', { hasText: '0' }).waitFor();
}
