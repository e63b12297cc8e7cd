import assert from 'node:assert/strict';
import { kill, start } from '../daemon.mjs';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a daemon that is killed and comes back in front of the user costs nothing that was accepted';

/**
 * After so many accepted messages Ben stops until Ann's page is connected again. How long that takes must not
 * decide how many he sends: on a busy machine the page shows only a few in a second.
 */
const MANY = 50;

export default async function (browser) {
  const ben = await Person.register(browser, 'Restart Ben');
  const ann = await Person.register(browser, 'Restart Ann');
  await ben.page.reload();
  await ben.open(ann);
  await ann.open(ben);

  const accepted = [];
  let tried = 0;
  let failed = 0;
  const send = async (isEnough) => {
    while (!isEnough()) {
      const text = `message ${++tried}`;
      if (await ben.send(ann, text)) accepted.push(text);
      else failed++;
    }
  };
  const untilItIsAway = send(() => failed > 0);
  await until('messages are accepted', () => accepted.length >= 10);
  await kill();
  await untilItIsAway;
  await ann.is('Connecting');
  // The page says what happens meanwhile.
  const notice = ann.page.getByRole('status').filter({ hasText: 'Live connection lost' });
  await notice.waitFor();
  // The page, its client and the history come from the application's own server.
  await ann.page.reload();
  await ann.open(ben);
  await ann.reads(accepted.at(-1));
  await notice.waitFor();
  await ann.say('written while it was away');
  await ann.page.getByRole('img', { name: 'Being sent' }).waitFor();
  let isBack = false;
  const untilSheIsBack = send(() => isBack || accepted.length >= MANY);
  await start();
  await ann.is('Connected');
  await notice.waitFor({ state: 'detached' });
  isBack = true;
  await untilSheIsBack;
  const enough = accepted.length + 10;
  await send(() => accepted.length >= enough);

  const fromBen = async () => (await ann.texts()).filter((text) => text.startsWith('message '));
  const isComplete = async () => {
    const shown = await fromBen();
    assert.equal(new Set(shown).size, shown.length, 'nothing is shown twice');
    // What was not accepted may have arrived all the same.
    return JSON.stringify(shown.filter((text) => accepted.includes(text))) === JSON.stringify(accepted);
  };
  await until('everything that was accepted is shown, in order', isComplete);
  // A message that is shown and not confirmed yet would rightly be handed out again.
  await until('everything is confirmed', async () => (await ben.waiting(ann)).length === 0);
  await ann.page.reload();
  await ann.is('Connected');
  await ann.open(ben);
  await ann.reads(accepted.at(-1));
  await ann.goBackTo(accepted[0]);
  await until('and so it is after a reload', isComplete);
  ann.wasHandedOnce();

  await ben.reads('written while it was away');
  assert.equal((await ben.texts()).filter((text) => text === 'written while it was away').length, 1);
  await ann.page.getByRole('img', { name: 'Delivered' }).waitFor();
}
