// The sign-in of the examples.
import assert from 'node:assert/strict';
import { Person, demo } from './person.mjs';

/**
 * Registers a user and opens a page of an example, which leads to the sign-in. Signs in, with cookies of their own.
 * Returns the page.
 */
export async function signInToExamples(browser, name, start = 'plain-php/inbox.php') {
  const person = await Person.register(browser, name);
  // The demo's own page would confirm what comes.
  await person.page.close();
  const page = await person.context.newPage();
  await page.goto(`${demo}/examples/${start}`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: `Inbox of ${name}` }).waitFor();
  return page;
}

/** Asserts that scripts of an example answer 401, and no page, to somebody who is not signed in. */
export async function refuseStrangers(browser, ...scripts) {
  const { request } = await browser.newContext();
  for (const script of scripts) {
    const answer = await request.get(`${demo}/examples/${script}`);
    assert.deepEqual([answer.status(), await answer.text()], [401, 'Sign in first.'], script);
  }
}
