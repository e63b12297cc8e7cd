// Frames from the daemon: one JSON object in each text frame.

/**
 * Reads one frame.
 * @param {unknown} text The data of a WebSocket message event.
 * @returns {{event: string, id?: string, value?: object|number, by?: object, more?: boolean}|undefined} The event is `message`,
 *   `unread`, `presence`, `event`, `recall`, `delivered`, `grant`, `push` or `pong`; `undefined` for an unknown kind of
 *   frame, so that a newer daemon may send more than this client knows.
 */
export function read(text) {
  const frame = parse(text);
  if (!frame) return undefined;
  if (frame.pong === true) return { event: 'pong' };
  const id = typeof frame.id === 'string' && frame.id ? frame.id : undefined;
  // Frames of the daemon itself have no id. An application may give its messages any type.
  if (id === undefined) {
    const { type, users, event, from, value, until, error, to, ids } = frame;
    if (type === 'presence' && users) return { event: 'presence', value: users };
    if (type === 'event' && typeof event === 'string') return { event: 'event', value: { event, from, value } };
    if (type === 'recall' && Array.isArray(ids)) return { event: 'recall', value: ids };
    if (type === 'delivered' && Array.isArray(ids)) return { event: 'delivered', value: { to, ids } };
    if (type === 'push') return { event: 'push', value: frame };
    if (type === 'grant' && (until || error)) return { event: 'grant', value: { until, error } };
  }
  const count = countIn(frame) ?? countIn(parse(frame.data));
  const { by, more } = frame;
  if (count !== undefined) return { event: 'unread', id, value: count, ...(by && { by }), ...(more && { more }) };
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
