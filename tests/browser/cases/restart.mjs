import assert from 'node:assert/strict';
import { kill, start } from '../daemon.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a daemon that is killed and comes back in front of the user costs nothing that was accepted';

export default async function (browser) {
  const ben = await Person.register(browser, 'Restart Ben');
  const ann = await Person.register(browser, 'Restart Ann');
  await ben.page.reload();
  await ben.open(ann);
  await ann.open(ben);

  const accepted = [];
  let tried = 0;
  let done = false;
  const sending = (async () => {
    while (!done) {
      const text = `message ${++tried}`;
      if (await ben.send(ann, text)) accepted.push(text);
    }
  })();
  const more = (count) => {
    const enough = accepted.length + count;
    return until('messages are accepted', () => accepted.length >= enough);
  };
  await more(10);
  await kill();
  await ann.is('Connecting');
  const refusals = tried;
  await ann.say('written while it was away');
  await ann.page.getByRole('img', { name: 'Being sent' }).waitFor();
  await until('a call has failed', () => tried > refusals);
  await start();
  await ann.is('Connected');
  await more(10);
  done = true;
  await sending;
  assert.ok(accepted.length < tried, 'some calls have failed meanwhile');

  const fromBen = async () => (await ann.texts()).filter((text) => text.startsWith('message '));
  const isComplete = async () => {
    const shown = await fromBen();
    assert.equal(new Set(shown).size, shown.length, 'nothing is shown twice');
    // What was not accepted may have arrived all the same.
    return JSON.stringify(shown.filter((text) => accepted.includes(text))) === JSON.stringify(accepted);
  };
  await until('everything that was accepted is shown, in order', isComplete);
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(ben);
  await until('and so it is after a reload', isComplete);
  ann.wasHandedOnce();

  await ben.reads('written while it was away');
  assert.equal((await ben.texts()).filter((text) => text === 'written while it was away').length, 1);
  await ann.page.getByRole('img', { name: 'Delivered' }).waitFor();
}
