// The stub that docs/browser.md shows, as a page would run it, with dist/chatpush.js.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { Browser, message, settle, tokenOf } from './world.mjs';

const read = (name) => readFile(new URL(name, import.meta.url), 'utf8');

/** A page with the stub, in which `script` is the code of chatpush.js. */
async function page() {
  const [, stub] = (await read('../../docs/browser.md')).match(/<script>\n( *window\.ChatPush \?\?= .*?)<\/script>/s);
  const tab = new Browser().tab();
  const context = createContext(Object.assign(tab.world, { URL, TextEncoder, token: tokenOf(7) }));
  context.window = context.globalThis = context;
  runInContext(stub, context);
  return { tab, run: (code) => runInContext(code, context), script: await read('../dist/chatpush.js') };
}

test('the demo has the same stub', async () => {
  const [, stub] = (await read('../../docs/browser.md')).match(/<script>\n( *window\.ChatPush \?\?= .*?)<\/script>/s);
  const demo = await read('../../php/demo/public/stub.js');
  assert.equal(demo.replace(/^\/\/.*\n/, ''), stub.replace(/^  /gm, ''));
});

test('calls wait until chatpush.js is there', async () => {
  const { tab, run, script } = await page();
  run(`
    var chat = ChatPush.connect({ token, share: false });
    var seen = [], removed = [];
    chat.on('message', ({ data }) => { seen.push(data); });
    var off = chat.on('message', () => { removed.push('early'); });
    var later = chat.on('message', () => { removed.push('late'); });
    off();
    chat.markRead();
    chat.on('no such event', () => {});
  `);
  assert.equal(run('chat.state'), 'connecting');
  run(script);
  await settle();
  tab.socket.accept();
  tab.socket.say(message('a'));
  await settle();
  run('later()');
  tab.socket.say(message('b'));
  await settle();
  assert.deepEqual([...run('seen')], ['a', 'b']);
  assert.deepEqual([...run('removed')], ['late']);
  assert.equal(run('chat.state'), 'open');
  assert.deepEqual(tab.socket.sent.filter(({ read: all }) => all), [{ read: true }]);
  assert.match(tab.logged.join(), /no such event/);
  run('chat.close()');
  assert.equal(run('chat.state'), 'closed');
});

test('a handler that is removed twice takes no other call along', async () => {
  const { tab, run, script } = await page();
  run(`
    var chat = ChatPush.connect({ token, share: false });
    var seen = [];
    var off = chat.on('message', () => { seen.push('removed'); });
    chat.on('message', () => { seen.push('kept'); });
    off();
    off();
  `);
  run(script);
  await settle();
  tab.socket.accept();
  tab.socket.say(message('a'));
  await settle();
  run('off()');
  assert.deepEqual([...run('seen')], ['kept']);
});

test('a page lives on if chatpush.js never comes', async () => {
  const { run } = await page();
  assert.equal(run(`
    var chat = ChatPush.connect();
    chat.on('error', () => {});
    chat.event(9, 'typing');
    chat.close();
    chat.state;
  `), 'connecting');
});

test('a promise of the stub becomes the one of chatpush.js', async () => {
  const { tab, run, script } = await page();
  run(`
    var chat = ChatPush.connect({ token, share: false }), problem;
    chat.enableNotifications().catch(({ message }) => { problem = message; });
  `);
  await settle();
  run(script);
  await settle();
  assert.equal(run('problem'), 'this browser has no Web Push');
  assert.equal(run('chat.notifications'), 'unsupported');
  assert.deepEqual(tab.logged, []);
});
