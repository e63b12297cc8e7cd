import { pageOf } from './address.js';

/** How long the daemon may take to answer, in milliseconds. */
const TIMEOUT = 10_000;

/** The longest answer that is shown. The daemon's have less than 100 characters. */
const LONGEST = 200;

/**
 * Asks the daemon why it refuses a handshake: a page cannot see how one was answered.
 * @returns {Promise<string|undefined>} The reason; undefined if the daemon would accept the handshake.
 */
export async function reasonOf(world, address, token) {
  const url = pageOf(address);
  if (world.navigator?.onLine === false) return 'this device is offline';
  const aborter = world.AbortController && new world.AbortController();
  const timer = world.setTimeout(() => aborter?.abort(), TIMEOUT);
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await world.fetch(url, { headers, cache: 'no-store', signal: aborter?.signal });
    const text = (await answer.text()).trim();
    if (answer.status === 200 && text === 'ok') return undefined;
    // A web server answers with a page of its own.
    if (text && text.length <= LONGEST && !text.startsWith('<')) {
      return `chatpushd refuses the connection: ${answer.status} ${text}`;
    }
    return `${url} answers ${answer.status}, which is not chatpushd: does the web server forward it?`;
  } catch {
    return `${url} does not answer: does chatpushd run, and does the web server forward it?`;
  } finally {
    world.clearTimeout(timer);
  }
}

/** The reason if the daemon would accept a handshake and none gets through. */
export const BLOCKED = 'chatpushd would accept the connection, but no WebSocket gets through: '
  + 'every proxy must forward the headers Upgrade and Connection';
