// How times and days are written.

/** Words are English, as the page is. Day and month are ordered as in the user's own English, if any. */
const english = navigator.languages.find((language) => /^en\b/i.test(language)) ?? 'en-GB';

/** The number of days between a time and today. */
function daysAgo(time) {
  const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(new Date()) - midnight(new Date(time))) / 86_400_000);
}

/** The time of day. */
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });

/** A key that is the same for all times of one day. */
export const dayOf = (time) => new Date(time).toDateString();

/** The day, for a line between the messages of two days. */
export function day(time) {
  const days = daysAgo(time);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  const isThisYear = new Date(time).getFullYear() === new Date().getFullYear();
  return new Date(time).toLocaleDateString(english, {
    weekday: 'long', day: 'numeric', month: 'long', ...(isThisYear ? {} : { year: 'numeric' }),
  });
}

/** The time in a narrow list: the clock today, then the day. */
export function brief(time) {
  const days = daysAgo(time);
  if (days <= 0) return clock(time);
  if (days === 1) return 'Yesterday';
  if (days < 7) return new Date(time).toLocaleDateString(english, { weekday: 'long' });
  return new Date(time).toLocaleDateString(english, { day: 'numeric', month: 'short', year: '2-digit' });
}
