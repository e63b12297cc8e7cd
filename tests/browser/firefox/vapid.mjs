// What RFC 8292 asks of a request to a push service.
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';

/** A public key of 65 bytes in base64url. */
function keyOf(text) {
  const point = Buffer.from(text, 'base64url');
  assert.deepEqual([point.length, point[0]], [65, 4], 'an uncompressed point of P-256');
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
}

/**
 * Checks the signature of a push, and who it is from.
 * @param {string} key The key that the browser has subscribed with.
 * @param {string} origin That of the push service.
 */
export function checkVapid({ headers: { authorization } }, key, origin) {
  const [, token, k] = authorization.match(/^vapid t=([\w-]+\.[\w-]+\.[\w-]+),\s*k=([\w-]+)$/);
  assert.equal(k, key, 'only the key of the subscription may push');
  const [header, claims, signature] = token.split('.');
  const { alg, typ } = JSON.parse(Buffer.from(header, 'base64url'));
  assert.deepEqual([alg, typ], ['ES256', 'JWT']);
  const options = { key: keyOf(k), dsaEncoding: 'ieee-p1363' };
  assert.ok(verify('sha256', `${header}.${claims}`, options, Buffer.from(signature, 'base64url')), 'the signature');
  const { aud, exp, sub } = JSON.parse(Buffer.from(claims, 'base64url'));
  assert.equal(aud, origin);
  const lifetime = exp - Date.now() / 1000;
  assert.ok(lifetime > 0 && lifetime <= 86_400, `it ends in ${lifetime} s`);
  assert.match(sub, /^(mailto:|https:)/);
}
