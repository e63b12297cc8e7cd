// Somebody who uses the demo, with a browser of their own: cookies, storage, and what went wrong on the page.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { until } from './until.mjs';

/** Where the web server is. */
export const demo = process.env.CHATPUSH_TEST_HTTP_URL;
if (!demo) throw new Error('These tests need the running demo: ./dev test browser');

const PASSWORD = 'long enough';

export class Person {
  /**
   * Registers and waits for the connection.
   * @param {object} [options] Playwright's for the context, and the `wire` to go through.
   */
  static async register(browser, name, { wire, ...options } = {}) {
    const person = new Person(name, PASSWORD, wire?.url ?? demo);
    await person.come(browser, options);
    await person.enter('Register');
    return person;
  }

  /** Signs somebody in who has registered, and waits for the connection. */
  static async signIn(browser, name, password, options) {
    const person = new Person(name, password, demo);
    await person.come(browser, options);
    await person.enter();
    return person;
  }

  constructor(name, password, url) {
    Object.assign(this, { name, password, url, handed: [], problems: [] });
  }

  async come(browser, options) {
    this.context = await browser.newContext(options);
    await this.listen();
    await this.tab('sign-in.php');
  }

  /** Takes down what chatpush.js hands to the pages, and what they complain about. */
  async listen() {
    const { context } = this;
    await context.exposeBinding('handed', ({ page }, id) => this.handed.push({ page, id }));
    await context.addInitScript(() => {
      let client;
      Object.defineProperty(window, 'ChatPush', {
        set: (given) => { client = given; },
        get: () => ({
          connect: (options) => {
            const chat = client.connect(options);
            chat.on('message', ({ id }) => { window.handed(id); });
            return chat;
          },
        }),
      });
    });
    context.on('weberror', (error) => this.problems.push(String(error.error())));
    context.on('console', (message) => message.type() === 'error' && this.problems.push(message.text()));
    // Another client than the daemon's own, to see the tests fail.
    const client = process.env.CHATPUSH_TEST_CLIENT;
    if (client) await context.route('**/chatpush.js', (route) => route.fulfill({ path: client }));
  }

  /** Opens another tab, which is the one that is used from now on. */
  async tab(page = '') {
    this.page = await this.context.newPage();
    await this.page.goto(`${this.url}/${page}`);
    return this.page;
  }

  async enter(button = 'Sign in') {
    await this.page.getByLabel('Name').fill(this.name);
    await this.page.getByLabel('Password').fill(this.password);
    await this.page.getByRole('button', { name: button }).click();
    await this.is('Connected');
  }

  async leave() {
    await this.page.getByRole('button', { name: 'Sign out' }).click();
    await this.page.getByRole('button', { name: 'Sign in' }).waitFor();
  }

  /** Waits for a word in the line at the top. */
  async is(state) {
    await this.page.locator('#state', { hasText: state }).waitFor({ timeout: 60_000 });
  }

  entry(other, page = this.page) {
    return page.getByRole('navigation').getByRole('button', { name: new RegExp(`^${other.name} `) });
  }

  /** Opens a conversation, once the other is in the list of people. */
  async open(other, page = this.page) {
    await this.entry(other, page).click();
    await page.getByRole('heading', { name: other.name }).waitFor();
  }

  /** Writes a message on the page. */
  async say(text) {
    await this.page.getByRole('textbox', { name: 'Message' }).fill(text);
    await this.page.getByRole('button', { name: 'Send' }).click();
    await this.page.locator('#messages p', { hasText: text }).last().waitFor();
  }

  /** Has PHP send a message, past the page; whether that was accepted. */
  async send(other, text) {
    this.csrf ??= await this.page.locator('body').getAttribute('data-csrf');
    const response = await this.context.request.post(`${demo}/send.php`, {
      headers: { 'X-CSRF-Token': this.csrf },
      form: { receiver_id: await other.id(), text, id: randomBytes(12).toString('hex') },
    });
    return response.ok();
  }

  async id() {
    this.user ??= await this.page.locator('body').getAttribute('data-user');
    return this.user;
  }

  /** Says whether the entry of another in the list is marked as there. */
  async sees(other, presence) {
    await this.entry(other).filter({ hasText: presence }).waitFor({ timeout: 60_000 });
  }

  /** The texts in view. */
  texts(page = this.page) {
    return page.locator('#messages p').allTextContents();
  }

  /** Waits until a text is in view. */
  async reads(text, page = this.page) {
    await page.locator('#messages p').getByText(text, { exact: true }).first().waitFor({ timeout: 60_000 });
  }

  /** Waits until the conversation in view is this, which shows what is missing and what is there twice. */
  async hasRead(texts, page = this.page) {
    const wanted = JSON.stringify(texts);
    await until('the conversation is complete', async () => JSON.stringify(await this.texts(page)) === wanted)
      .catch(async () => assert.deepEqual(await this.texts(page), texts));
  }

  /** Waits for the counter at the top, and for the one of a conversation. */
  async badges(other, count, page = this.page) {
    const shown = (badge) => badge.evaluate(({ hidden, firstElementChild }) => (hidden ? '' : firstElementChild.textContent));
    const badges = [page.locator('#unread'), this.entry(other, page).locator('.badge')];
    const wanted = [count, count].join();
    await until(`the counters are ${count}`, async () => (await Promise.all(badges.map(shown))).join() === wanted)
      .catch(async () => assert.equal((await Promise.all(badges.map(shown))).join(), wanted));
  }

  /** No page was handed a message twice. */
  wasHandedOnce() {
    const ids = this.handed.map(({ id }) => id);
    assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), [], 'nothing is handed out twice');
  }
}
