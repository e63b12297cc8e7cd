import { setTimeout as sleep } from 'node:timers/promises';
import { Person, demo } from '../person.mjs';
import { Wire } from '../wire.mjs';

export const title = 'a network that drops everything for half a minute is noticed, and no message is lost';

export default async function (browser) {
  const wire = await Wire.to(demo);
  const ben = await Person.register(browser, 'Hole Ben');
  const ann = await Person.register(browser, 'Hole Ann', { wire });
  await ann.open(ben);
  await ben.send(ann, 'before');
  await ann.reads('before');

  wire.swallow();
  const over = sleep(30_000);
  const dark = ['one in the dark', 'two in the dark', 'three in the dark'];
  for (const text of dark) await ben.send(ann, text);
  // No socket has closed. The client notices only that its ping is not answered.
  await ann.is('Connecting');
  await over;
  await ann.hasRead(['before']);

  wire.pass();
  await ann.is('Connected');
  await ben.send(ann, 'after');
  await ann.hasRead(['before', ...dark, 'after']);
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(ben);
  await ann.hasRead(['before', ...dark, 'after']);
  ann.wasHandedOnce();
  wire.close();
}
