// Where to connect, and as whom.

/**
 * The address of the daemon, without the token.
 * @param {string|URL} [url] Relative to the page, or absolute with http, https, ws or wss.
 * @throws {TypeError} If that is no such address.
 */
export function addressOf(world, url = '/ws') {
  const address = new URL(url, world.location?.href);
  if (/^https?:$/.test(address.protocol)) address.protocol = address.protocol.replace('http', 'ws');
  if (!/^wss?:$/.test(address.protocol)) throw new TypeError(`chatpush cannot connect to ${address.protocol}`);
  // A WebSocket address must not have a fragment.
  address.hash = '';
  return address;
}

/** The address with the token. */
export function withToken(address, token) {
  const full = new URL(address);
  full.searchParams.set('token', token);
  return full.href;
}

/**
 * The user a token speaks for, which tells apart two people who use one browser. Nothing is verified here: the
 * daemon does that.
 * @returns {string} Empty if the token does not show it.
 */
export function userOf(world, token) {
  try {
    const payload = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    return String(JSON.parse(world.atob(payload)).sub ?? '');
  } catch {
    return '';
  }
}
