// The states of the user's own messages, and how they are shown.

/**
 * - `sending`: not handed over to chatpush yet. A retry has the same id, so it stays one message.
 * - `stored`: the row is committed; no receiver was connected, or this page does not know of one.
 * - `live`: the row is committed, and the message was pushed to a connected device of a receiver.
 * - `refused`: the server has refused it.
 *
 * `got` has the receivers of whom a device has confirmed the message, so their row was deleted. This does not
 * mean that somebody has read it.
 */
const STATES = {
  sending: ['…', 'Being sent'],
  stored: ['✓', 'Stored; waits until they are back'],
  live: ['✓', 'Stored, and on its way to their device'],
  delivered: ['✓✓', 'Delivered to a device of theirs'],
  refused: ['✗', 'Not sent'],
};

/** How far a message has come. It never goes back. */
export const rank = ({ state }) => ['sending', 'stored', 'live', 'refused'].indexOf(state);

/** Whether receivers have still to get it. */
export const waits = ({ state, got, deleted }, receivers) =>
  (state === 'stored' || state === 'live') && !deleted && got.length < receivers.length;

/** Shows the state of a message in an element, as a sign and as its label. */
export function mark(element, { state, got }, receivers) {
  const [shown, sign, word] = shownState(state, got.length, receivers.length);
  if (element.textContent === sign && element.title === word) return;
  element.textContent = sign;
  element.title = word;
  element.setAttribute('aria-label', word);
  element.dataset.state = shown;
}

function shownState(state, got, all) {
  if (state === 'refused' || got === 0) return [state, ...STATES[state]];
  if (got < all) return [state, '✓', `Delivered to ${got} of ${all}`];
  return ['delivered', '✓✓', all === 1 ? STATES.delivered[1] : `Delivered to all ${all}`];
}
