// The sign-in of the examples.
import { Person, demo } from './person.mjs';

/** Registers a user and signs in at the plain PHP pages, with cookies of their own. Returns the page. */
export async function signInToExamples(browser, name) {
  const person = await Person.register(browser, name);
  // The demo's own page would confirm what comes.
  await person.page.close();
  const page = await person.context.newPage();
  await page.goto(`${demo}/examples/plain-php/sign-in.php`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: `Inbox of ${name}` }).waitFor();
  return page;
}
