// Kills and restarts the daemon of the demo, through the control socket of the stack.
import { readdir, readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';

/** The process id of the daemon, or undefined while it is down. */
export const pid = async () => (await environment())?.pid;

/** The address of its admin listener. */
export async function admin() {
  const { variables } = await environment();
  const listen = variables.find((variable) => variable.startsWith('CHATPUSH_ADMIN_LISTEN='));
  return `http://${listen.slice(listen.indexOf('=') + 1)}`;
}

/** Its process id and its environment. */
async function environment() {
  const listen = `CHATPUSH_LISTEN=127.0.0.1:${new URL(process.env.CHATPUSH_TEST_WS_URL).port}`;
  for (const entry of await readdir('/proc')) {
    const file = (name) => readFile(`/proc/${entry}/${name}`, 'utf8').catch(() => '');
    // The shell that looks after the daemon has the same environment.
    if (!/^\d+$/.test(entry) || !(await file('comm')).startsWith('chatpushd')) continue;
    const variables = (await file('environ')).split('\0');
    if (variables.includes(listen)) return { pid: Number(entry), variables };
  }
  return undefined;
}

/** Kills the daemon with SIGKILL. It stays down until it is started. */
export const kill = () => command('kill daemon');

/** Starts it again on the same ports, and waits until it is ready. */
export const start = () => command('start daemon');

async function command(line) {
  const socket = createConnection(process.env.CHATPUSH_TEST_CONTROL);
  socket.write(`${line}\n`);
  const answer = (await text(socket)).trim();
  if (answer !== 'ok') throw new Error(`${line}: ${answer}`);
}
