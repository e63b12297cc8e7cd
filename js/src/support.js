/** Whether this browser can show notifications here; `missing` says what the user or the operator can do. */
export function supportOf({ isSecureContext, navigator, PushManager, Notification }) {
  if (isSecureContext === false) return { missing: 'notifications need https, or localhost' };
  if (navigator?.serviceWorker && PushManager && Notification) return {};
  // An iPad says that it is a Mac, which has no touch screen.
  const { userAgent = '', maxTouchPoints } = navigator ?? {};
  const isApple = /iP(hone|ad|od)/.test(userAgent) || (/Mac/.test(userAgent) && maxTouchPoints > 1);
  return {
    missing: isApple
      ? 'on iPhones and iPads notifications need iOS 16.4 and the page on the Home Screen: Share, Add to Home Screen'
      : 'this browser has no Web Push',
  };
}
