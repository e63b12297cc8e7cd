import assert from 'node:assert/strict';
import { Person } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'three people talk in a group, with names, ticks and badges; a message is deleted for all';

export default async function (browser) {
  const [ann, ben, cas] = [
    await Person.register(browser, 'Group Ann'),
    await Person.register(browser, 'Group Ben'),
    await Person.register(browser, 'Group Cas'),
  ];
  const eve = await Person.register(browser, 'Group Eve');
  for (const person of [ben, cas, eve]) await ann.entry(person).waitFor();

  // What is wrong is said, and leads to the field.
  const { page } = ann;
  await page.getByRole('button', { name: 'New group' }).click();
  const dialog = page.getByRole('dialog', { name: 'New group' });
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.type);
  await until('the name has the focus', async () => (await focused()) === 'group-name');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByRole('alert').getByText('Give the group a name.').waitFor();
  assert.equal(await focused(), 'group-name');
  await dialog.getByRole('textbox', { name: 'Name' }).fill('Nobody');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByRole('alert').getByText('Choose at least one person.').waitFor();
  assert.equal(await focused(), 'checkbox');
  await page.keyboard.press('Escape');
  const team = await ann.createGroup('Group <team>', [ben, cas]);

  // The others see it without a reload; who is not in it does not.
  for (const person of [ben, cas]) await person.open(team);
  const about = page.getByRole('region', { name: team.name }).locator('header');
  await about.getByText('You, Group Ben, Group Cas · 2 online').waitFor();
  await cas.id();
  await cas.page.close();
  await about.getByText('You, Group Ben, Group Cas · 1 online').waitFor();
  const tick = (name) => page.getByRole('log').getByRole('img', { name, exact: true });
  await ann.say('Good morning');
  await ben.reads('Good morning');
  await tick('Delivered to 1 of 2').waitFor();
  await ben.say('Good morning to you');
  await ben.say('both');
  await ann.hasRead(['Good morning', 'Good morning to you', 'both']);

  // The name of a sender stands above the first of several messages.
  const shown = await page.locator('#messages .who:visible').evaluateAll((names) =>
    names.filter((name) => name.offsetHeight > 1).map((name) => name.textContent));
  assert.deepEqual(shown, ['Group Ben']);
  const said = await page.getByRole('log').getByRole('listitem').filter({ hasText: 'both' }).textContent();
  assert.match(said.trim(), /^Group Ben *both/, 'a screen reader hears it for each');

  // Messages that waited count for the group, not for who wrote them.
  await cas.tab();
  await cas.badges(team, '3');
  assert.equal(await cas.entry(ben).locator('.badge').isVisible(), false);
  await cas.entry(team).filter({ hasText: 'Group Ben: both' }).waitFor();
  await tick('Delivered to all 2').waitFor();
  await cas.open(team);
  await cas.badges(team, '');
  await cas.hasRead(['Good morning', 'Good morning to you', 'both']);

  // Who is typing is said with a name, and only in the group.
  await cas.page.getByRole('textbox', { name: 'Message' }).pressSequentially('I');
  await about.getByText('Group Cas is typing…').waitFor();

  // The same words in the conversation of two are another message.
  await ben.open(ann);
  await ben.say('Good morning');
  await ann.entry(ben).filter({ hasText: '1 new' }).waitFor();
  await ben.open(team);
  await ben.delete('both');
  for (const person of [ann, cas]) {
    await person.hasRead(['Good morning', 'Good morning to you', 'This message was deleted.']);
  }
  await ben.page.reload();
  await ben.open(team);
  await ben.hasRead(['Good morning', 'Good morning to you', 'You deleted this message.']);

  // The pages are no way into a group of others.
  const name = await ann.conversation(team);
  const answers = [
    await eve.context.request.get(`${eve.url}/messages.php?conversation=${name}`),
    await eve.context.request.post(`${eve.url}/send.php`, {
      headers: { 'X-CSRF-Token': await eve.page.locator('body').getAttribute('data-csrf') },
      form: { conversation: name, text: 'hello', id: 'x'.repeat(20) },
    }),
  ];
  assert.deepEqual(answers.map((answer) => answer.status()), [422, 422]);
  assert.equal(await eve.entry(team).count(), 0);
  for (const person of [ann, ben, cas]) {
    person.wasHandedOnce();
    assert.deepEqual(person.problems, []);
  }
}
