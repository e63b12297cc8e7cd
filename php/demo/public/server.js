// Requests to the application's PHP pages.

/** The timeout of a request, in milliseconds. A hanging request would block the next ones. */
const REQUEST_TIMEOUT = 10_000;

const { csrf } = document.body.dataset;

/**
 * Sends a request.
 * @throws {Error} With a text for the user, and the HTTP `status` if there was an answer.
 */
export async function ask(page, options = {}) {
  const headers = { 'X-CSRF-Token': csrf };
  const response = await fetch(page, { headers, signal: AbortSignal.timeout(REQUEST_TIMEOUT), ...options });
  if (response.status === 401) location.href = 'sign-in.php';
  const answer = await response.json().catch(() => ({ error: 'The server has a problem.' }));
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

export function post(page, fields = {}) {
  return ask(page, { method: 'POST', body: new URLSearchParams(fields) });
}
