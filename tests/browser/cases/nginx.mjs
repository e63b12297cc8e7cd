import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Nginx } from '../nginx.mjs';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'nginx that drops the subprotocols is noticed, and a page learns why nothing connects';

const UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';

/** The access log. nginx writes a line when a request or its connection has ended. */
const log = (nginx) => readFile(nginx.log, 'utf8');

/** Runs in a page of the demo. */
async function fetchToken() {
  const headers = { 'X-CSRF-Token': document.body.dataset.csrf };
  return (await (await fetch('token.php', { method: 'POST', headers })).json()).token;
}

/** Connects and waits for an error. Returns it behind the state. Runs in a page. */
function explain({ url, token }) {
  return new Promise((resolve) => {
    const chat = window.ChatPush.connect({ url, token, share: false });
    chat.on('error', ({ message }) => {
      resolve(`${chat.state}: ${message}`);
      chat.close();
    });
  });
}

export default async function (browser) {
  const dropping = await Nginx.before(demo, `${UPGRADE} proxy_set_header Sec-WebSocket-Protocol "";`);
  const blocking = await Nginx.before(demo, '');
  const forwarding = await Nginx.before(demo, UPGRADE);
  try {
    const ben = await Person.register(browser, 'Nginx Ben');
    const ann = await Person.register(browser, 'Nginx Ann', { wire: dropping });
    await ann.open(ben);
    await ben.send(ann, 'through nginx');
    await ann.reads('through nginx');
    await ann.page.close();
    await until('the connection is in the log', async () => /token=.* 101 /.test(await log(dropping)));
    assert.match(await log(dropping), /GET \/ws\?token=[^ ]+&protocol=chatpush.v1 HTTP\/1.1" 101/);

    const eve = await Person.register(browser, 'Nginx Eve', { wire: forwarding });
    await eve.page.close();
    await until('the connection is in the log', async () => / 101 /.test(await log(forwarding)));
    assert.doesNotMatch(await log(forwarding), /token=/);

    const token = await ben.page.evaluate(fetchToken);
    // Files of the demo have no Content-Security-Policy, unlike its pages.
    const ask = async (site, options) => {
      const page = await ben.context.newPage();
      await page.goto(`${site}/chat.css`);
      await page.addScriptTag({ url: '/chatpush.js' });
      return page.evaluate(explain, { token, url: '/ws', ...options });
    };
    const reasons = await Promise.all([
      ask(blocking.url, {}),
      ask(demo, { token: 'x.y.z' }),
      // Another port is another origin. Its answer may be read all the same.
      ask(demo, { url: process.env.CHATPUSH_TEST_WS_URL }),
      ask(demo, { url: 'http://127.0.0.1:9/ws' }),
    ]);
    assert.match(reasons[0], /^unreachable: .*must forward the headers Upgrade and Connection$/);
    assert.match(reasons[1], /^unreachable: .*chatpushd refuses the connection: 401 token is malformed$/);
    assert.match(reasons[2], /^unreachable: .*chatpushd refuses the connection: 403 origin is not allowed/);
    assert.match(reasons[3], /^unreachable: .*http:\/\/127.0.0.1:9\/ws does not answer/);
  } finally {
    await Promise.all([dropping, blocking, forwarding].map((nginx) => nginx.stop()));
  }
}
