/** What the worker says to pages after its subscription has changed. */
export const CHANGED = 'chatpush: subscription changed';

/**
 * The browser has ended the subscription. Subscribes again, and has the pages tell the daemon: the worker has no
 * connection. Without a page the next one does both.
 */
export async function renew({ registration, clients }, { oldSubscription, newSubscription }) {
  const { applicationServerKey } = oldSubscription?.options ?? {};
  if (!newSubscription && applicationServerKey) {
    const options = { userVisibleOnly: true, applicationServerKey };
    // A page tries it too, and says what is wrong.
    await registration.pushManager.subscribe(options).catch(() => {});
  }
  for (const window of await clients.matchAll({ type: 'window', includeUncontrolled: true })) {
    window.postMessage(CHANGED);
  }
}
