import { Person, demo } from '../person.mjs';
import { Wire } from '../wire.mjs';

export const title = 'a cut network is noticed at once, and messages written meanwhile are sent later';

export default async function (browser) {
  const wire = await Wire.to(demo);
  const ben = await Person.register(browser, 'Cut Ben');
  const ann = await Person.register(browser, 'Cut Ann', { wire });
  await ben.page.reload();
  await ben.open(ann);
  await ann.open(ben);
  await ben.say('before');
  await ann.reads('before');

  wire.cut();
  await ann.is('Connecting');
  await ben.say('meanwhile');
  await ann.say('written without a network');
  await ann.page.getByText('It goes out by itself').waitFor();
  await ann.page.getByRole('img', { name: 'Being sent' }).waitFor();

  wire.pass();
  await ann.is('Connected');
  await ann.page.getByRole('img', { name: 'Delivered' }).waitFor();
  // Both see the order of the server's history.
  for (const person of [ann, ben]) await person.hasRead(['before', 'meanwhile', 'written without a network']);
  ann.wasHandedOnce();
  ben.wasHandedOnce();
  wire.close();
}
