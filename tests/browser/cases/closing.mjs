import assert from 'node:assert/strict';
import { Person } from '../person.mjs';

export const title = 'a page sees the code of every close, and that it was clean';

/**
 * Opens a WebSocket, does something with it, and resolves with how it closed: code, and whether that was clean.
 * Runs in a page of the demo.
 */
async function closed({ does }) {
  const headers = { 'X-CSRF-Token': document.body.dataset.csrf };
  const { token } = await (await fetch('token.php', { method: 'POST', headers })).json();
  const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?token=${token}`);
  return new Promise((resolve) => {
    socket.onclose = ({ code, wasClean }) => resolve([code, wasClean]);
    socket.onopen = () => {
      if (does === 'close') socket.close(3001, 'bye');
      if (does === 'send too much') socket.send('x'.repeat(4 * 1024 * 1024));
      // A little more than 2,000, which are allowed in ten seconds.
      if (does === 'send too often') for (let i = 0; i < 2_200; i++) socket.send('x');
    };
  });
}

export default async function (browser) {
  const ann = await Person.register(browser, 'Closing Ann');
  const how = async (does) => ann.page.evaluate(closed, { does });
  assert.deepEqual(await how('close'), [3001, true]);
  assert.deepEqual(await how('send too much'), [1009, true]);
  assert.deepEqual(await how('send too often'), [1008, true]);
}
