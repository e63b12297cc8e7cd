// What is known of a message that was written here, and how it is shown.

/**
 * - `sending`: the server has not said yes yet. It is sent again under the same id, and is one message all the same.
 * - `stored`: the row is committed; nobody of theirs was there.
 * - `live`: the row is committed, and a device of theirs was there and has been sent it.
 * - `delivered`: the row is gone, which it is once a device of theirs has confirmed that it has the message.
 *   Whether anybody has read it, nobody knows.
 * - `refused`: the server does not want it.
 */
const STATES = {
  sending: ['…', 'Being sent'],
  stored: ['✓', 'Stored; waits until they are back'],
  live: ['✓', 'Stored, and on its way to their device'],
  delivered: ['✓✓', 'Delivered to a device of theirs'],
  refused: ['✗', 'Not sent'],
};

/** Whether it may still become `delivered`. */
export const waits = ({ mine, state }) => mine && (state === 'stored' || state === 'live');

/** Makes an element say the state of a message, by sign and by word. */
export function mark(element, { state }) {
  const [sign, word] = STATES[state];
  if (element.textContent === sign && element.title === word) return;
  element.textContent = sign;
  element.title = word;
  element.setAttribute('aria-label', word);
  element.dataset.state = state;
}
