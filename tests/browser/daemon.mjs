// Kills and restarts the daemon of the demo, through the control socket of the stack.
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';

/** Kills the daemon with SIGKILL. */
export const kill = () => command('kill daemon');

/** Starts it again on the same ports, and waits until it is ready. */
export const start = () => command('start daemon');

async function command(line) {
  const socket = createConnection(process.env.CHATPUSH_TEST_CONTROL);
  socket.write(`${line}\n`);
  const answer = (await text(socket)).trim();
  if (answer !== 'ok') throw new Error(`${line}: ${answer}`);
}
