import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { sql } from '../database.mjs';
import { demo } from '../person.mjs';
import { signInToExamples } from '../examples.mjs';

export const title = 'the example of a forum: a message to many shows on the pages of those who are there';

export default async function (browser) {
  await sql(await readFile(new URL('../../../examples/forum-messages/schema.sql', import.meta.url), 'utf8'));
  const pages = [];
  for (const name of ['Forum Ann', 'Forum Ben', 'Forum Cat']) {
    const page = await signInToExamples(browser, name, 'forum-messages/page.php');
    const open = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived'));
    await page.goto(`${demo}/examples/forum-messages/page.php`);
    await open;
    pages.push(page);
  }
  const [ann, ben, cat] = pages;
  const hostile = '<img src=x onerror=alert(1)>';
  await cat.getByLabel('To').fill('Forum Ann, Forum Ben, nobody');
  await cat.getByLabel('Subject').fill(hostile);
  await cat.getByLabel('Text').fill('the text');
  await cat.getByRole('button', { name: 'Send' }).click();
  for (const page of [ann, ben]) {
    await page.getByRole('status').getByText(`Forum Cat: ${hostile}`).waitFor();
    assert.equal(await page.locator('#new').textContent(), '1');
    await page.reload();
    assert.equal(await page.locator('#new').textContent(), '1');
  }
  assert.equal(await cat.locator('#new').textContent(), '0');
}
