// Scripts of the examples that no web server of the tests has pages for.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';

test('the script for Laravel asks for its channels and hands events to their handlers', async () => {
  const script = await readFile(new URL('../../examples/laravel/chat.js', import.meta.url), 'utf8');
  const asked = [];
  const axios = {
    async post(url, { channels }) {
      asked.push([url, [...channels]]);
      return { data: { token: `token ${asked.length}`, grant: `grant ${asked.length}` } };
    },
  };
  let options;
  let receive;
  const chat = { on: (event, handler) => { if (event === 'message') receive = handler; } };
  const ChatPush = { connect: (given) => { options = given; return chat; } };
  const heard = [];
  const handlers = { MessageSent: ({ text }, room) => heard.push([room, text]) };
  runInNewContext(script, { axios, ChatPush, handlers });

  const channels = ['private-App.Models.User.7', 'private-team.5'];
  assert.deepEqual([await options.token(), await options.grant()], ['token 1', 'grant 2']);
  assert.deepEqual(asked, Array(2).fill(['/broadcasting/auth', channels]));

  // As the broadcaster sends it: see ChatPushBroadcaster.php.
  const data = JSON.stringify({ event: 'MessageSent', data: { text: 'hello' } });
  receive({ room: 'private-team.5', type: 'event', data });
  receive({ room: 'private-team.5', type: 'event', data: '{"event":"Unknown","data":{}}' });
  receive({ type: 'text', data: 'no event' });
  assert.deepEqual(heard, [['private-team.5', 'hello']]);
});
