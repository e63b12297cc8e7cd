import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Installation, path, visit } from '../installation.mjs';
import { until } from '../until.mjs';

export const title = 'the example of a history that chatpush writes: each row once, also if its commit waits';

const EXAMPLES = ['history-table', 'plain-php'];
const PASSWORD = 'long enough';

export default async function (browser) {
  const root = await mkdtemp(join(tmpdir(), 'chatpush-examples-'));
  for (const example of EXAMPLES) await symlink(path(`examples/${example}/public`), join(root, example));
  const read = (file) => readFile(path(`examples/history-table/${file}`), 'utf8');
  const hash = execFileSync('php', ['-r', `echo password_hash('${PASSWORD}', PASSWORD_BCRYPT, ['cost' => 4]);`]);
  const sql = `${await read('before.sql')}
    CREATE TABLE user (id int PRIMARY KEY, username varchar(60) NOT NULL, password varchar(255) NOT NULL);
    INSERT INTO user VALUES (1, 'Ann', '${hash}'), (2, 'Ben', '${hash}');
    INSERT INTO message (sender_id, receiver_id, body, created_at) VALUES (2, 1, 'old', '2024-01-01 00:00:00');
    ${await read('alter.sql')}`;
  const commands = [['migrate'], ['adopt', '--mark'], ['check']];
  const installation = await Installation.start('examples/history-table/chatpush.toml', root, { sql, commands });
  try {
    await talk(browser, installation);
  } finally {
    await installation.stop();
    await rm(root, { recursive: true });
  }
}

async function signIn(browser, url, name) {
  const page = await visit(browser, url, 'plain-php/sign-in.php');
  // The poll once a minute would hide that nothing else makes the page ask.
  await page.addInitScript(() => {
    const { setInterval } = window;
    window.setInterval = (handler, milliseconds) => (milliseconds < 60000 ? setInterval(handler, milliseconds) : 0);
  });
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  // The inbox needs a queue, which is not in this database.
  const signedIn = page.waitForResponse((answer) => answer.url().endsWith('/inbox.php'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await signedIn;
  return page;
}

async function talk(browser, installation) {
  const { url } = installation;
  const [ann, ben] = [await signIn(browser, url, 'Ann'), await signIn(browser, url, 'Ben')];
  const frames = [];
  ann.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(String(payload))));
  const open = (page, peer) => page.goto(`${url}/history-table/page.php?with=${peer}`);
  const texts = () => ann.getByRole('listitem').allTextContents();
  const shows = (text) => ann.getByRole('listitem').getByText(text, { exact: true }).waitFor();
  const send = async (text) => {
    await ben.getByLabel('Text').fill(text);
    await ben.getByRole('button', { name: 'Send' }).click();
  };

  await open(ben, 1);
  await send('stored');
  await ben.getByRole('listitem').getByText('stored', { exact: true }).waitFor();
  await open(ann, 2);
  await ann.locator('#state', { hasText: 'open' }).waitFor();
  await shows('stored');
  await ann.locator('#unread', { hasText: '1' }).waitFor();
  await send('<b>live</b>');
  await shows('<b>live</b>');

  // The message is on Ann's page while the commit of its row waits for her counter.
  const lock = await locked(installation, 'SELECT * FROM chatpush_unread WHERE user_id = 1 FOR UPDATE');
  const functions = path('examples/history-table/functions.php');
  // Not by a page: the web server of PHP answers one request at a time.
  installation.runPhp('-r', `require '${functions}'; send_message(2, 1, 'waits', 'a');`);
  await until('the message is there', () => frames.some((frame) => frame.includes('"waits"')));
  const rows = () => ann.evaluate(() => fetch('messages.php?with=2').then((answer) => answer.text()));
  assert.ok(!(await rows()).includes('"waits"'));
  lock.stdin.end('COMMIT;\n');
  await shows('waits');

  const all = ['old', 'stored', '<b>live</b>', 'waits'];
  assert.deepEqual(await texts(), all);
  await ann.reload();
  await shows('waits');
  await ann.locator('#unread', { hasText: '3' }).waitFor();
  assert.deepEqual(await texts(), all);
  const waiting = () => installation.sql('SELECT COUNT(*) FROM message WHERE delivered_at IS NULL');
  await until('all are marked', () => waiting() === '0');
  assert.equal(installation.sql('SELECT COUNT(*) FROM message'), '4');
  const stranger = { form: { receiver_id: '3', body: 'x', message_id: 'a' } };
  assert.equal((await ann.context().request.post(`${url}/history-table/send.php`, stranger)).status(), 422);
}

/** A client of the database that has executed a statement in a transaction, which ends with its input. */
async function locked({ database }, statement) {
  const socket = `--socket=${process.env.CHATPUSH_TEST_MYSQL_SOCKET}`;
  const client = spawn('mariadb', ['--no-defaults', '--unbuffered', '--batch', '--user=root', socket, database]);
  process.once('exit', () => client.kill('SIGKILL'));
  const answered = new Promise((resolve) => client.stdout.once('data', resolve));
  client.stdin.write(`START TRANSACTION; ${statement};\n`);
  await answered;
  return client;
}
