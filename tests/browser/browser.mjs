// Headless Chromium, the system's own, and people who use the demo in it.
import { chromium } from 'playwright-core';

const url = process.env.CHATPUSH_TEST_HTTP_URL;
if (!url) throw new Error('These tests need the running demo: ./dev test browser');

export const passwords = { buyer: process.env.CHATPUSH_TEST_BUYER, seller: process.env.CHATPUSH_TEST_SELLER };

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      // Chromium refuses its sandbox to root.
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

// Somebody with a browser of their own: cookies, storage, and what went wrong on the page.
export class Person {
  static async arrive(browser, name, options = {}) {
    const context = await browser.newContext(options);
    const person = new Person(name, context, await context.newPage());
    await person.signIn();
    return person;
  }

  constructor(name, context, page) {
    Object.assign(this, { name, context, page, problems: [] });
    page.on('pageerror', (error) => this.problems.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && this.problems.push(message.text()));
  }

  async signIn() {
    await this.page.goto(`${url}/`);
    await this.page.getByLabel('Name').fill(this.name);
    await this.page.getByLabel('Password').fill(passwords[this.name]);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.getByText('online', { exact: true }).waitFor();
  }

  async signOut() {
    await this.page.getByRole('button', { name: 'Sign out' }).click();
    await this.page.getByRole('button', { name: 'Sign in' }).waitFor();
  }

  async open(other) {
    await this.page.getByRole('navigation').getByRole('button', { name: other }).click();
    await this.page.getByRole('heading', { name: other }).waitFor();
  }

  async say(text) {
    const before = await this.page.locator('#messages li').count();
    await this.page.getByRole('textbox', { name: 'Message' }).fill(text);
    await this.page.getByRole('button', { name: 'Send' }).click();
    await this.page.locator('#messages li').nth(before).waitFor();
  }

  // How the other person's entry in the list is marked.
  async sees(other, online) {
    const marked = online ? '.online' : ':not(.online)';
    await this.page.locator(`nav button${marked}`, { hasText: other }).waitFor({ timeout: 20_000 });
  }

  async reads(count) {
    if (count > 0) await this.page.locator('#messages li').nth(count - 1).waitFor();
    return this.page.locator('#messages li p').allTextContents();
  }

  async badge(text) {
    await this.page.waitForFunction(
      (wanted) => {
        const badge = document.getElementById('unread');
        return (badge.hidden ? '' : badge.textContent) === wanted;
      },
      text,
    );
  }
}
