// A user of the demo, with a browser context (cookies, storage) and the errors of its pages.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { until } from './until.mjs';

/** The URL of the web server. */
export const demo = process.env.CHATPUSH_TEST_HTTP_URL;
if (!demo) throw new Error('These tests need the running demo: ./dev test browser');

const PASSWORD = 'long enough';

export class Person {
  /**
   * Registers a user and waits for the connection.
   * @param {object} [options] Options of Playwright's context, the `wire` (a proxy) to connect through, and
   * `alone`: its pages get no grant, and so are not told who comes and goes.
   */
  static async register(browser, name, { wire, alone = false, ...options } = {}) {
    const person = new Person(name, PASSWORD, wire?.url ?? demo);
    person.alone = alone;
    await person.come(browser, options);
    await person.enter('Register');
    return person;
  }

  /** Signs a registered user in, and waits for the connection. */
  static async signIn(browser, name, password, { wire, ...options } = {}) {
    const person = new Person(name, password, wire?.url ?? demo);
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

  /** Records the messages that chatpush.js hands to the pages, and the errors of the pages. */
  async listen() {
    const { context } = this;
    await context.exposeBinding('handed', ({ page }, id) => this.handed.push({ page, id }));
    await context.addInitScript(() => {
      let client;
      Object.defineProperty(window, 'ChatPush', {
        // First the page's stub, then chatpush.js, which takes over the stub's queue.
        set: (given) => {
          const connect = (options) => {
            const chat = given.connect(options);
            // Copies of a message to many share its id, and name other receivers each.
            chat.on('message', ({ id, to, type }) => {
              // Other tests register people meanwhile, of whom every page is told.
              if (type !== 'people') window.handed(to ? `${id} to ${[to].flat()[0]}` : id);
            });
            return chat;
          };
          client = Object.create(given, { connect: { value: connect } });
        },
        get: () => client,
      });
    });
    context.on('weberror', (error) => this.problems.push(String(error.error())));
    context.on('console', (message) => message.type() === 'error' && this.problems.push(message.text()));
    if (this.alone) await context.route('**/grant.php', (route) => route.abort());
    // Replaces the client, to check that the tests fail with a broken one.
    const client = process.env.CHATPUSH_TEST_CLIENT;
    if (client) await context.route('**/chatpush.js', (route) => route.fulfill({ path: client }));
  }

  /** Opens another tab, which is used from now on. */
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

  /** Waits for a state of the connection in the page header. */
  async is(state) {
    await this.page.locator('#state', { hasText: state }).waitFor();
  }

  entry(other, page = this.page) {
    return page.getByRole('navigation').getByRole('button', { name: new RegExp(`^${other.name} `) });
  }

  /** Opens the conversation with another user or a group, which must appear in the list. */
  async open(other, page = this.page) {
    await this.entry(other, page).click();
    await page.getByRole('heading', { name: other.name }).waitFor();
  }

  /** Writes and sends a message on the page. */
  async say(text) {
    await this.page.getByRole('textbox', { name: 'Message' }).fill(text);
    await this.page.getByRole('button', { name: 'Send' }).click();
    await this.page.locator('#messages p', { hasText: text }).last().waitFor();
  }

  /**
   * Sends a message by a request to PHP, without the page. Returns whether it was accepted. A second call with
   * the same id is a retry.
   */
  async send(other, text, id = randomBytes(12).toString('hex')) {
    this.csrf ??= await this.page.locator('body').getAttribute('data-csrf');
    const response = await this.context.request.post(`${demo}/send.php`, {
      headers: { 'X-CSRF-Token': this.csrf },
      form: { conversation: await this.conversation(other), text, id },
    });
    return response.ok();
  }

  /** The ids of messages in a conversation that a receiver's pages have not confirmed yet. */
  async waiting(other) {
    const page = `${demo}/waiting.php?conversation=${await this.conversation(other)}`;
    const response = await this.context.request.get(page);
    return Object.keys((await response.json()).waiting);
  }

  /** The name of the conversation with another user, or with a group that is in this person's list. */
  async conversation(other) {
    return other instanceof Person ? other.id() : this.entry(other).getAttribute('data-chat');
  }

  /** Creates a group on the page, which opens its conversation. */
  async createGroup(name, members) {
    await this.page.getByRole('button', { name: 'New group' }).click();
    const dialog = this.page.getByRole('dialog', { name: 'New group' });
    await dialog.getByRole('textbox', { name: 'Name' }).fill(name);
    for (const { name: member } of members) {
      await dialog.getByRole('checkbox', { name: member, exact: true }).check();
    }
    await dialog.getByRole('button', { name: 'Create' }).click();
    await this.page.getByRole('heading', { name }).waitFor();
    return { name };
  }

  /** Deletes one of the person's own messages in the open conversation. */
  async delete(text, page = this.page) {
    const line = page.locator('#messages li', { has: page.getByText(text, { exact: true }) });
    await line.getByRole('button', { name: 'Delete this message' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete this message?' });
    await dialog.getByRole('button', { name: /^Delete for/ }).click();
    await dialog.waitFor({ state: 'hidden' });
  }

  async id() {
    this.user ??= await this.page.locator('body').getAttribute('data-user');
    return this.user;
  }

  /** Waits until the list shows another user as 'online' or 'away'. */
  async sees(other, presence) {
    await this.entry(other).filter({ hasText: presence }).waitFor();
  }

  /** The texts of the open conversation. */
  texts(page = this.page) {
    return page.locator('#messages p').allTextContents();
  }

  /** Waits until the open conversation shows a text. */
  async reads(text, page = this.page) {
    await page.locator('#messages p').getByText(text, { exact: true }).first().waitFor();
  }

  /** Waits until the open conversation has exactly these texts. */
  async hasRead(texts, page = this.page) {
    const wanted = JSON.stringify(texts);
    await until('the conversation is complete', async () => JSON.stringify(await this.texts(page)) === wanted)
      .catch(async () => assert.deepEqual(await this.texts(page), texts));
  }

  /** Waits until the counters of the page and of a conversation have a value. */
  async badges(other, count, page = this.page) {
    const shown = (badge) => badge.evaluate(({ hidden, firstElementChild }) =>
      (hidden ? '' : firstElementChild.textContent));
    const badges = [page.locator('#unread'), this.entry(other, page).locator('.badge')];
    const wanted = [count, count].join();
    await until(`the counters are ${count}`, async () => (await Promise.all(badges.map(shown))).join() === wanted)
      .catch(async () => assert.equal((await Promise.all(badges.map(shown))).join(), wanted));
  }

  /** Loads the open conversation back to its first message. The button comes with the server's answer. */
  async goBackTo(first, page = this.page) {
    const earlier = page.getByRole('button', { name: 'Show earlier messages' });
    await until(`${first} is shown`, async () => {
      const before = await this.texts(page);
      if (before[0] === first) return true;
      if (await earlier.isVisible()) {
        await earlier.click();
        await until('earlier messages are shown', async () => (await this.texts(page)).length > before.length);
      }
      return false;
    });
  }

  /** Checks that no message was handed out twice. */
  wasHandedOnce() {
    const ids = this.handed.map(({ id }) => id);
    assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), [], 'nothing is handed out twice');
  }
}
