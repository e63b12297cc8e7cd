import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';
import { Wire } from '../wire.mjs';

export const title = 'a proxy that cuts idle connections finds none, and one that is too strict costs nothing';

export default async function (browser) {
  // Proxies cut after a minute, rarely after less. The client's pings are 18 seconds apart.
  const patient = await Wire.to(demo, 21_000);
  const strict = await Wire.to(demo, 12_000);
  const ben = await Person.register(browser, 'Idle Ben');
  const ann = await Person.register(browser, 'Idle Ann', { wire: patient });
  const cas = await Person.register(browser, 'Idle Cas', { wire: strict });
  await ann.open(ben);
  await cas.open(ben);

  await until('the strict one has cut twice', () => strict.webSockets >= 3);
  await until('the patient one was given time', () => patient.open().some(({ since }) => Date.now() - since > 45_000));
  assert.equal(patient.webSockets, 1);
  for (const person of [ann, cas]) {
    await ben.send(person, 'still there?');
    await person.hasRead(['still there?']);
    person.wasHandedOnce();
  }
  patient.close();
  strict.close();
}
