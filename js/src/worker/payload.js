// The data of a push: a declarative push message (W3C Push API, section "Declarative push message"), which some
// browsers show without a worker.

/** What is shown if the data cannot be read. A push must show something: Safari takes the permission away. */
const TITLE = 'New messages';
const TAG = 'chatpush';

/**
 * What a push shows.
 * @param {{json(): unknown}|null} data The data of the push event.
 * @returns {{title: string, options: object, badge?: number}} `badge` is the number on the application's icon.
 */
export function read(data) {
  const { notification, app_badge } = parse(data) ?? {};
  // WebKit has `app_badge` in the notification, a proposal for the specification beside it.
  const { title, body, lang, icon, navigate, tag, silent, app_badge: inside } = notification ?? {};
  const badge = Number(app_badge ?? inside ?? NaN);
  // Members of a wrong type could make the browser throw, and nothing would be shown.
  const options = {
    body: text(body),
    lang: text(lang),
    icon: text(icon),
    tag: text(tag) ?? TAG,
    silent: silent === true,
    // A notification that replaces another one makes itself heard again.
    renotify: true,
    data: { navigate: text(navigate) },
  };
  return { title: text(title) ?? TITLE, options, badge: badge >= 0 && Number.isSafeInteger(badge) ? badge : undefined };
}

function parse(data) {
  try {
    return data.json();
  } catch {
    return undefined;
  }
}

const text = (value) => (typeof value === 'string' && value ? value : undefined);
