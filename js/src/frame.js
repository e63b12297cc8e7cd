// What the daemon says, one JSON object in each text frame.

/**
 * Reads one frame.
 * @param {unknown} text What came from the socket.
 * @returns {{event: 'message'|'unread'|'pong', id?: string, value?: object|number}|undefined} Nothing for a frame
 *   of a kind that is not known here, so that a newer daemon may say more than this client understands.
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

/** The unread counter, as the daemon writes it around and as some applications write it into a message. */
function countIn(object) {
  return object?.type === 'unread_count' && Number.isInteger(object.data) ? object.data : undefined;
}

/** The JSON object in a text, or nothing. Most contents are no JSON at all, which the first letter tells. */
function parse(text) {
  if (typeof text !== 'string' || !/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
