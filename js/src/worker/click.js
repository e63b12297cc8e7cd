/**
 * Closes a notification that was clicked and brings its page to the front: a window that shows it already, or a
 * new one.
 */
export async function open({ clients, location }, notification) {
  notification.close();
  const url = new URL(notification.data?.navigate ?? '/', location.href);
  // The worker controls no page.
  const windows = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  const found = windows.find((window) => window.url === url.href) ?? windows.find((window) => isAt(window, url));
  try {
    if (found) return await found.focus();
  } catch {
    // The browser does not let it come to the front.
  }
  return clients.openWindow(url.href);
}

/** Whether a window shows this page; what follows the path may differ. */
function isAt(window, url) {
  const { origin, pathname } = new URL(window.url);
  return origin === url.origin && pathname === url.pathname;
}
