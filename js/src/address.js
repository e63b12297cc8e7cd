// The URLs of the daemon, and the user of a token.

/** The characters of a token that may stand in the list of subprotocols (RFC 6455 section 4.1). */
const TOKEN = /^[\w.~+-]+$/;

/** The subprotocol of this client. */
const PROTOCOL = 'chatpush.v1';

/**
 * The URL of the daemon, without the token.
 * @param {string|URL} [url] Relative to the page, or absolute with http, https, ws or wss.
 * @throws {TypeError} If the URL is not one of these.
 */
export function addressOf(world, url = '/ws') {
  const address = new URL(url, world.location?.href);
  if (/^https?:$/.test(address.protocol)) address.protocol = address.protocol.replace('http', 'ws');
  if (!/^wss?:$/.test(address.protocol)) {
    throw new TypeError(`chatpush cannot connect to ${address.protocol}`);
  }
  // A WebSocket URL must not have a fragment.
  address.hash = '';
  return address;
}

/**
 * The arguments of a WebSocket. The token is one of the subprotocols, which no server writes to its log.
 * Where a proxy drops their list, both go in the query string.
 * @param {boolean} inQuery
 */
export function handshake(address, token, inQuery) {
  if (!inQuery) return [address.href, [PROTOCOL, `chatpush.token.${token}`]];
  const full = new URL(address);
  full.searchParams.set('token', token);
  full.searchParams.set('protocol', PROTOCOL);
  return [full.href];
}

/** The same address for a request without an upgrade. */
export function pageOf(address) {
  return address.href.replace(/^ws/, 'http');
}

/**
 * The user of a token, to keep the data of two people in one browser apart. Only the daemon verifies the
 * token.
 * @returns {string} Empty if the token has no readable `sub`.
 */
export function userOf(world, token) {
  return String(claimsOf(world, token).sub ?? '');
}

/** The claims of a token; none if they cannot be read. */
export function claimsOf(world, token) {
  try {
    return JSON.parse(world.atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))) ?? {};
  } catch {
    return {};
  }
}

/** Whether a text may be a token: an error page or a JSON answer is none. */
export function isToken(text) {
  return TOKEN.test(text);
}
