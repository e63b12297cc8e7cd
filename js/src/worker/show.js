import { read } from './payload.js';

/** Shows what a push says, and the number on the application's icon where there is one. */
export async function show({ registration, navigator }, data) {
  const { title, options, badge } = read(data);
  await registration.showNotification(title, options);
  // An application that is not installed has no icon, and some browsers refuse then.
  if (badge !== undefined) await navigator.setAppBadge?.(badge).catch(() => {});
}
