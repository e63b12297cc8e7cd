// WebDriver BiDi (W3C), which Firefox speaks without a driver between.
import { WebSocket } from 'ws';

/** How long an answer may take, in milliseconds. It is long, because the machine may be busy. */
const ANSWER_TIMEOUT = 60_000;

/** A session with a browser. */
export class Session {
  /** @param {string} url What the browser prints when it listens. */
  static async open(url) {
    const session = new Session();
    session.socket = new WebSocket(`${url}/session`);
    session.socket.on('message', (data) => session.answered(JSON.parse(data)));
    await new Promise((resolve, reject) => {
      session.socket.on('open', resolve);
      session.socket.on('error', reject);
    });
    await session.call('session.new', { capabilities: {} });
    return session;
  }

  constructor() {
    this.calls = new Map();
    this.last = 0;
  }

  answered({ id, result, message }) {
    const call = this.calls.get(id);
    if (!call) return;
    this.calls.delete(id);
    clearTimeout(call.timer);
    if (result) call.resolve(result);
    else call.reject(new Error(`${call.method}: ${message}`));
  }

  call(method, params = {}) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), ANSWER_TIMEOUT);
      this.calls.set(id, { method, resolve, reject, timer });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Opens a tab with a page. */
  async open(url) {
    const { context } = await this.call('browsingContext.create', { type: 'tab' });
    const page = new Page(this, context);
    await page.go(url);
    return page;
  }

  async tabs() {
    return (await this.call('browsingContext.getTree', { maxDepth: 0 })).contexts;
  }

  /** The addresses of all tabs. */
  async addresses() {
    return (await this.tabs()).map(({ url }) => url);
  }

  /** The tabs that show an address. */
  async pages(address) {
    return (await this.tabs()).filter(({ url }) => url === address).map(({ context }) => new Page(this, context));
  }

  close() {
    this.socket.close();
  }
}

/** A tab. */
class Page {
  constructor(session, context) {
    Object.assign(this, { session, context });
  }

  go(url) {
    return this.session.call('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
  }

  /** Runs a function in the page, as if the user had just clicked, and returns its result: JSON. */
  async run(code, ...values) {
    const call = {
      functionDeclaration: `async (values) => JSON.stringify(await (${code})(...JSON.parse(values)))`,
      target: { context: this.context },
      arguments: [{ type: 'string', value: JSON.stringify(values) }],
      awaitPromise: true,
      userActivation: true,
    };
    const { type, result, exceptionDetails } = await this.session.call('script.callFunction', call);
    if (type === 'exception') throw new Error(exceptionDetails.text);
    return result.type === 'string' ? JSON.parse(result.value) : undefined;
  }

  close() {
    return this.session.call('browsingContext.close', { context: this.context });
  }
}
