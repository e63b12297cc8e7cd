import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';
import { Wire } from '../wire.mjs';

export const title = 'expired tokens are replaced, also after failures; no message is lost or duplicated';

/** How long a token lives, in seconds. */
const TTL = 3;

/** The same token with a shorter lifetime, signed again. */
function shortened(token) {
  const [head, claims] = token.split('.');
  const { sub, iat } = JSON.parse(Buffer.from(claims, 'base64url'));
  const signed = `${head}.${Buffer.from(JSON.stringify({ sub, iat, exp: iat + TTL })).toString('base64url')}`;
  const mac = createHmac('sha256', process.env.CHATPUSH_TEST_SECRET).update(signed).digest('base64url');
  return `${signed}.${mac}`;
}

export default async function (browser) {
  const wire = await Wire.to(demo);
  const ben = await Person.register(browser, 'Token Ben');
  const ann = await Person.register(browser, 'Token Ann', { wire });
  let refused;
  await ann.context.route('**/token.php', async (route) => {
    if (refused !== undefined) {
      refused++;
      return route.fulfill({ status: 503, json: { error: 'not now' } });
    }
    const { token } = await (await route.fetch()).json();
    return route.fulfill({ json: { token: shortened(token) } });
  });
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(ben);

  const texts = [];
  const send = async () => {
    texts.push(`message ${texts.length + 1}`);
    assert.ok(await ben.send(ann, texts.at(-1)));
  };
  const before = wire.webSockets;
  // Messages arrive while connections end, and while there is none.
  await until('three tokens have expired', async () => {
    await send();
    await sleep(100);
    return wire.webSockets >= before + 3;
  });
  await ann.hasRead(texts);

  refused = 0;
  await until('the page has been refused a token three times', () => refused >= 3);
  await send();
  refused = undefined;
  await ann.is('Connected');
  await ann.hasRead(texts);
  ann.wasHandedOnce();
  wire.close();
}
