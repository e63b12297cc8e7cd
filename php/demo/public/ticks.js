// The states of the user's own messages, and how they are shown.

/**
 * - `sending`: not handed over to chatpush yet. A retry has the same id, so it stays one message.
 * - `stored`: the row is committed; the receiver was not connected.
 * - `live`: the row is committed, and the message was pushed to a connected device of the receiver.
 * - `delivered`: a device of the receiver has confirmed the message, so its row was deleted. This does not
 *   mean that somebody has read it.
 * - `refused`: the server has refused it.
 */
const STATES = {
  sending: ['…', 'Being sent'],
  stored: ['✓', 'Stored; waits until they are back'],
  live: ['✓', 'Stored, and on its way to their device'],
  delivered: ['✓✓', 'Delivered to a device of theirs'],
  refused: ['✗', 'Not sent'],
};

/** How far a message has come. It never goes back. */
export const rank = ({ state }) => ['sending', 'stored', 'live', 'delivered', 'refused'].indexOf(state);

/** Whether it may still become `delivered`. */
export const waits = ({ state }) => state === 'stored' || state === 'live';

/** Shows the state of a message in an element, as a sign and as its label. */
export function mark(element, { state }) {
  const [sign, word] = STATES[state];
  if (element.textContent === sign && element.title === word) return;
  element.textContent = sign;
  element.title = word;
  element.setAttribute('aria-label', word);
  element.dataset.state = state;
}
