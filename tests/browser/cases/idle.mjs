import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';
import { Wire } from '../wire.mjs';

export const title = 'pings keep a connection open through a proxy; a stricter proxy loses no message';

export default async function (browser) {
  // The client pings every 18 seconds. Most proxies cut a connection after a minute without data.
  const patient = await Wire.to(demo, 21_000);
  const strict = await Wire.to(demo, 12_000);
  const ben = await Person.register(browser, 'Idle Ben');
  const ann = await Person.register(browser, 'Idle Ann', { wire: patient, alone: true });
  const cas = await Person.register(browser, 'Idle Cas', { wire: strict, alone: true });
  await ann.open(ben);
  await cas.open(ben);

  await until('the strict proxy has cut twice', () => strict.webSockets >= 3);
  await until('the other connection has lived for 45 seconds', () => patient.open().some(({ since }) => Date.now() - since > 45_000));
  assert.equal(patient.webSockets, 1);
  for (const person of [ann, cas]) {
    await ben.send(person, 'still there?');
    await person.hasRead(['still there?']);
    person.wasHandedOnce();
  }
  patient.close();
  strict.close();
}
