import { sql } from '../database.mjs';
import { demo } from '../person.mjs';
import { refuseStrangers, signInToExamples } from '../examples.mjs';

export const title = 'the example of Ratchet: a page with a stand-in for its socket talks to the component';

export default async function (browser) {
  const names = ['Ratchet Ann', 'Ratchet Ben'];
  const signIn = (name) => signInToExamples(browser, name, 'ratchet/page.php');
  const [ann, ben] = [await signIn(names[0]), await signIn(names[1])];
  await refuseStrangers(browser, 'ratchet/event.php');
  const ids = await Promise.all(names.map((name) => sql(`SELECT id FROM user WHERE username = '${name}'`)));
  const open = async (page, peer) => {
    await page.goto(`${demo}/examples/ratchet/page.php?with=${peer}`);
    await page.getByText('connected').waitFor();
  };
  const send = async (page, text) => {
    await page.getByLabel('Text').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
  };
  await open(ann, ids[1]);
  await send(ann, 'too early');
  await ann.getByText('not here').waitFor();
  await open(ben, ids[0]);
  await send(ann, '<b>hello</b>');
  await ben.getByText(`private from ${ids[0]}: <b>hello</b>`).waitFor();
  await send(ben, 'hello back');
  await ann.getByText(`private from ${ids[1]}: hello back`).waitFor();
}
