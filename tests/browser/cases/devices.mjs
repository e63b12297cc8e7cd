import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

export const title = 'two devices show the same: what was sent from one, and what was read on one';

export default async function (browser) {
  const ben = await Person.register(browser, 'Device Ben');
  const desk = await Person.register(browser, 'Device Ann');
  const phone = await Person.signIn(browser, desk.name, desk.password);
  await ben.page.reload();
  await ben.open(desk);
  for (const device of [desk, phone]) await device.open(ben);

  // The copy comes over the connection: the page on the phone does not ask for the history.
  await phone.context.route(/(messages|people|waiting)\.php/, (route) => route.abort());
  await desk.say('from the desk');
  await phone.reads('from the desk');
  const line = phone.page.getByRole('listitem').filter({ hasText: 'You:' });
  await line.getByRole('img', { name: 'Delivered' }).waitFor();
  await phone.say('from the phone');
  await desk.hasRead(['from the desk', 'from the phone']);
  await ben.hasRead(['from the desk', 'from the phone']);
  assert.equal(await phone.entry(ben).filter({ hasText: 'You: from the phone' }).count(), 1);
  await phone.context.unrouteAll();

  // Nobody looks at the conversation, then one device does.
  for (const device of [desk, phone]) {
    await device.page.reload();
    await device.is('Connected');
  }
  for (const text of ['one', 'two']) await ben.say(text);
  for (const device of [desk, phone]) await device.badges(ben, '2');
  await phone.open(ben);
  for (const device of [desk, phone]) await device.badges(ben, '');
  assert.equal(await desk.page.title(), 'Chat');
  await desk.open(ben);
  await desk.hasRead(['from the desk', 'from the phone', 'one', 'two']);
  for (const person of [desk, phone, ben]) person.wasHandedOnce();
  assert.deepEqual([...desk.problems, ...ben.problems], []);
}
