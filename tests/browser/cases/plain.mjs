import assert from 'node:assert/strict';
import { Person, demo } from '../person.mjs';
import { until } from '../until.mjs';

export const title = 'a plain new WebSocket(url) gets stored and live messages, and confirms them by pong';

/** Opens a plain WebSocket on the page. Returns the frames up to the first that contains `last`. */
function listen(page, token, last) {
  return page.evaluate(([token, last]) => new Promise((resolve, reject) => {
    const frames = [];
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?token=${token}`);
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    socket.onmessage = ({ data }) => {
      frames.push(JSON.parse(data));
      if (data.includes(last)) resolve(frames);
    };
  }), [token, last]);
}

/** The text in a content of the demo. */
const text = ({ data }) => JSON.parse(data).text;

export default async function (browser) {
  const ben = await Person.register(browser, 'Plain Ben');
  const ann = await Person.register(browser, 'Plain Ann');
  const token = await ann.page.evaluate(async () => {
    const headers = { 'X-CSRF-Token': document.body.dataset.csrf };
    return (await (await fetch('token.php', { method: 'POST', headers })).json()).token;
  });
  // Reads the id while the page with it is open.
  await ann.id();
  // A page of the same host without scripts.
  await ann.page.goto(`${demo}/chat.css`);
  assert.ok(await ben.send(ann, 'it waited'));
  const waited = await listen(ann.page, token, 'unread_count');
  assert.deepEqual(waited.slice(0, -1).map(text), ['it waited']);
  assert.deepEqual(waited.at(-1), { type: 'unread_count', data: 1, by: { [await ben.id()]: 1 } });

  const live = listen(ann.page, token, 'it is new');
  await until('the confirmed message is not sent again', async () => {
    const frames = await listen(ann.page, token, 'unread_count');
    return frames.length === 1;
  });
  assert.ok(await ben.send(ann, 'it is new'));
  assert.equal(text((await live).at(-1)), 'it is new');
}
