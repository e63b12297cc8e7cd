// The notifications that Firefox shows: windows of its own.

/** Finds the windows of notifications, in the order in which they came. */
async function windows({ session }) {
  const { contexts } = await session.call('browsingContext.getTree', { maxDepth: 0, 'moz:scope': 'chrome' });
  return contexts.filter(({ url }) => url === 'chrome://global/content/alerts/alert.xhtml');
}

const call = (session, { context }, functionDeclaration) =>
  session.call('script.callFunction', { functionDeclaration, target: { context }, awaitPromise: true });

/** The title and the text of each notification. */
export async function alerts(firefox) {
  const texts = `() => JSON.stringify([document.getElementById('alertTitleLabel').value,
    document.getElementById('alertTextLabel').textContent])`;
  const shown = await Promise.all((await windows(firefox)).map((window) => call(firefox.session, window, texts)));
  // One that is being opened has no document yet, or no title.
  return shown.filter(({ type }) => type === 'success').map(({ result }) => JSON.parse(result.value)).filter(([title]) => title);
}

/** Clicks the notification. */
export async function click(firefox) {
  const [window] = await windows(firefox);
  await call(firefox.session, window, "() => { document.getElementById('alertBox').click(); }");
}
