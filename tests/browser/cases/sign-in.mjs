import assert from 'node:assert/strict';
import { demo } from '../person.mjs';

export const title = 'the sign-in page names the users, and leads to the field that is wrong';

export default async function (browser) {
  const page = await (await browser.newContext()).newPage();
  const focused = () => page.evaluate(() => document.activeElement.name);
  const described = () => page.evaluate(() =>
    document.getElementById(document.activeElement.getAttribute('aria-describedby'))?.textContent);
  const [name, password] = [page.getByLabel('Name'), page.getByLabel('Password')];
  await page.goto(`${demo}/sign-in.php`);
  await page.getByText(/two users, Mira and Tom\b.*passwords/).waitFor();
  assert.equal(await focused(), 'username');

  await name.fill('Mira');
  await password.fill('not the password');
  await password.press('Enter');
  await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor();
  assert.equal(await focused(), 'password');
  assert.equal(await described(), 'The name or the password is wrong.');
  assert.equal(await password.getAttribute('aria-invalid'), 'true');
  assert.deepEqual([await name.inputValue(), await password.inputValue()], ['Mira', '']);

  const register = page.getByRole('button', { name: 'Register' });
  const look = await register.evaluate((button) => {
    const { borderTopStyle: style, borderTopWidth: width, borderTopColor: edge, color } = getComputedStyle(button);
    return { style, width: parseFloat(width), edge, color, text: getComputedStyle(document.body).color };
  });
  assert.ok(look.style === 'solid' && look.width > 0, `the second button has an edge: ${JSON.stringify(look)}`);
  assert.doesNotMatch(look.edge, /[,/] 0\)$/, 'the edge is visible');
  assert.equal(look.color, look.text, 'its text is no link');
  await password.fill('long enough');
  await register.click();
  await page.getByRole('alert').getByText('That name is taken.').waitFor();
  assert.equal(await focused(), 'username');
  assert.equal(await described(), 'That name is taken.');
}
