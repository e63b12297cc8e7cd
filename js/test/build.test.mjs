// dist is what browsers get. The daemon embeds dist/chatpush.js.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { bundles } from '../build.mjs';
import { Browser, message, settle } from './world.mjs';

const dist = (name) => readFile(new URL(`../dist/${name}`, import.meta.url), 'utf8');

test('dist is built from the current sources', async () => {
  for (const bundle of await bundles()) {
    const { outputFiles: [file] } = await build({ ...bundle, write: false });
    assert.equal(await dist(file.path.split(/[\\/]/).at(-1)), file.text, 'run npm run build');
  }
});


test('both builds connect, hand out a message and ack it', async () => {
  const context = createContext({ URL });
  runInContext(await dist('chatpush.js'), context);
  const module = await import('../dist/chatpush.mjs');
  for (const { connect } of [context.ChatPush, module]) {
    const tab = new Browser().tab();
    const chat = connect({ token: 't' }, tab.world);
    chat.on('message', ({ data }) => { tab.messages = [data]; });
    await settle();
    tab.socket.accept();
    tab.socket.say(message('a', 'hello'));
    await tab.browser.clock.advance(1);
    assert.deepEqual(tab.messages, ['hello']);
    assert.deepEqual(tab.socket.acks, [['a']]);
  }
});
