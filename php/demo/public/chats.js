// The list of people: who is online, the last message and its time, and the number of new ones.
import { brief } from './dates.js';

export class People {
  /** For each person: `{ online, seen, unseen, last }`, see people.php. */
  summaries = new Map();

  constructor(list, history) {
    this.list = list;
    this.history = history;
    this.template = document.getElementById('person');
  }

  button(person) {
    return this.list.querySelector(`button[data-person="${person}"]`);
  }

  /** Whether the person is in the list. One who has just registered may not be. */
  has(person) {
    return this.summaries.has(person);
  }

  name(person) {
    return this.button(person)?.querySelector('.name').textContent ?? 'Somebody';
  }

  /** The person has connected or is gone. */
  is(person, online) {
    if (!this.has(person)) return;
    this.summaries.set(person, { ...this.summaries.get(person), online });
    this.refresh(person);
  }

  /** Whether the person is connected; null if nobody knows. */
  isOnline(person) {
    return this.summaries.get(person)?.online ?? null;
  }

  /** The row up to which the user has read the conversation. */
  seen(person) {
    return this.summaries.get(person)?.seen ?? 0;
  }

  /** How many of the person's messages are new. */
  unseen(person) {
    return this.summaries.get(person)?.unseen ?? 0;
  }

  /** The row of the last message that the server has. */
  lastRow(person) {
    return this.summaries.get(person)?.last?.row ?? 0;
  }

  /** Takes over what the server says of everybody. Returns whether somebody is new. */
  look(people) {
    const isNew = people.some(({ id }) => !this.button(id));
    for (const { id, username, ...given } of people) {
      if (!this.button(id)) this.introduce(id, username);
      this.summaries.set(id, merged(this.summaries.get(id), given));
      this.refresh(id);
    }
    this.sort();
    document.getElementById('nobody').hidden = people.length > 0;
    return isNew;
  }

  /** Counts a message that has come over the connection, unless the server has counted it already. */
  note(message) {
    const person = this.history.person(message);
    if (!this.has(person) || message.row <= this.lastRow(person)) return;
    const { unseen, ...summary } = this.summaries.get(person);
    const isTheirs = !this.history.isMine(message);
    this.summaries.set(person, { ...summary, last: message, unseen: unseen + (isTheirs ? 1 : 0) });
  }

  /** The user has seen the conversation up to its last message. Returns that row. */
  see(person) {
    const row = this.lastRow(person);
    this.summaries.set(person, { ...this.summaries.get(person), seen: row, unseen: 0 });
    return row;
  }

  introduce(id, username) {
    const entry = this.template.content.firstElementChild.cloneNode(true);
    entry.querySelector('button').dataset.person = id;
    entry.querySelector('.face').textContent = [...username][0];
    entry.querySelector('.name').textContent = username;
    this.list.append(entry);
  }

  refresh(person) {
    const button = this.button(person);
    if (!button) return;
    const online = this.isOnline(person);
    button.classList.toggle('online', online === true);
    button.querySelector('.presence').textContent = presence(online);
    const last = this.last(person);
    button.querySelector('.last').textContent =
      last ? `${this.history.isMine(last) ? 'You: ' : ''}${last.text}` : 'No messages yet';
    const time = button.querySelector('time');
    time.textContent = last ? brief(last.time) : '';
    if (last) time.dateTime = new Date(last.time).toISOString();
    const unseen = this.unseen(person);
    const badge = button.querySelector('.badge');
    badge.hidden = unseen === 0;
    badge.querySelector('.count').textContent = unseen || '';
  }

  /** The last message: of the server, or one that is on its way there. */
  last(person) {
    const here = this.history.of(person).at(-1);
    const there = this.summaries.get(person)?.last;
    return here && !(here.row < there?.row) ? here : there;
  }

  /** Puts the latest conversations first, and people without one behind them, by name. */
  sort() {
    const entries = [...this.list.children];
    const person = (entry) => Number(entry.firstElementChild.dataset.person);
    const time = (entry) => this.last(person(entry))?.time ?? 0;
    const name = (entry) => this.name(person(entry));
    const sorted = entries.toSorted((a, b) => time(b) - time(a) || name(a).localeCompare(name(b)));
    if (sorted.every((entry, at) => entry === entries[at])) return;
    // An element that is moved loses the focus.
    const focused = document.activeElement;
    this.list.append(...sorted);
    if (this.list.contains(focused)) focused.focus();
  }

  /** Marks the person whose conversation is open. */
  choose(person) {
    for (const button of this.list.querySelectorAll('button')) {
      button.toggleAttribute('aria-current', Number(button.dataset.person) === person);
    }
  }
}

/** What the server says, unless its answer is older than what has come or was read meanwhile. */
function merged(known = { seen: 0 }, given) {
  const row = ({ last }) => last?.row ?? 0;
  const { last, seen, unseen } = row(given) < row(known) || given.seen < known.seen ? known : given;
  return { online: given.online, last: row(given) < row(known) ? last : given.last, seen, unseen };
}

/** The word for it. */
export const presence = (online) => ({ true: 'online', false: 'away' })[online] ?? '';
