// Frames from the daemon: one JSON object in each text frame.

/**
 * Reads one frame.
 * @param {unknown} text The data of a WebSocket message event.
 * @returns {{event: 'message'|'unread'|'pong', id?: string, value?: object|number}|undefined} `undefined`
 *   for an unknown kind of frame, so that a newer daemon may send more than this client knows.
 */
export function read(text) {
  const frame = parse(text);
  if (!frame) return undefined;
  if (frame.pong === true) return { event: 'pong' };
  const id = typeof frame.id === 'string' && frame.id ? frame.id : undefined;
  const count = countIn(frame) ?? countIn(parse(frame.data));
  if (count !== undefined) return { event: 'unread', id, value: count };
  return typeof frame.data === 'string' ? { event: 'message', id, value: frame } : undefined;
}

/** The unread counter: a frame of the daemon, or the JSON content of an application's message. */
function countIn(object) {
  return object?.type === 'unread_count' && Number.isInteger(object.data) ? object.data : undefined;
}

/** The JSON object in a text, or `undefined`. Most contents are not JSON; the first character shows it. */
function parse(text) {
  if (typeof text !== 'string' || !/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
