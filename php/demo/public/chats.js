// The list of conversations: people and groups, the last message and its time, and the number of new ones.
import { brief } from './dates.js';

/**
 * Conversations have the names that chatpush counts them by: the id of the other user, or `group:5`. In PHP,
 * src/conversations.php has the same.
 */
export class Chats {
  /** For each name: `{ title, last }` (see people.php), of people `online` too, of groups `members`. */
  summaries = new Map();

  /** How many messages are unread, by name. */
  counts = {};

  /** The conversation that the user is looking at. What comes there counts as read. */
  viewed = undefined;

  constructor(list, history) {
    this.list = list;
    this.history = history;
    this.template = document.getElementById('chat');
  }

  button(name) {
    return this.list.querySelector(`button[data-chat="${name}"]`);
  }

  /** Whether the conversation is in the list. That of somebody who has just registered may not be. */
  has(name) {
    return this.summaries.has(name);
  }

  title(name) {
    return this.summaries.get(name)?.title ?? 'Somebody';
  }

  /** The name of a user. */
  person(user) {
    const isIt = ({ id }) => id === user;
    const groups = [...this.summaries.values()];
    return this.summaries.get(String(user))?.title
      ?? groups.flatMap(({ members = [] }) => members).find(isIt)?.username ?? 'Somebody';
  }

  isGroup(name) {
    return this.members(name) !== undefined;
  }

  /** The members of a group, the user too. */
  members(name) {
    return this.summaries.get(name)?.members;
  }

  /** The ids of those who get what the user writes there. */
  receivers(name) {
    const { me } = this.history;
    return this.members(name)?.map(({ id }) => id).filter((id) => id !== me) ?? [Number(name)];
  }

  /** All people. */
  people() {
    return [...this.summaries].filter(([name]) => !this.isGroup(name))
      .map(([name, { title }]) => ({ id: Number(name), title }));
  }

  /** The person has connected or is gone. */
  is(user, online) {
    const name = String(user);
    if (!this.has(name)) return;
    this.summaries.set(name, { ...this.summaries.get(name), online });
    this.refresh(name);
  }

  /** Whether the person is connected; null if nobody knows. */
  isOnline(user) {
    return this.summaries.get(String(user))?.online ?? null;
  }

  /** How many messages are new. */
  unread(name) {
    return name === this.viewed ? 0 : this.counts[name] ?? 0;
  }

  /** Takes over the counters of unread messages. */
  count(counts) {
    this.counts = counts;
    for (const name of this.summaries.keys()) this.refresh(name);
  }

  /** The row of the last message that the server has. */
  lastRow(name) {
    return this.summaries.get(name)?.last?.row ?? 0;
  }

  /** Takes over what the server says of everybody. Returns whether somebody is new. */
  look({ people, groups }) {
    const given = [
      ...people.map(({ id, username, online, last }) => [String(id), { title: username, online, last }]),
      ...groups.map(({ id, name, members, last }) => [`group:${id}`, { title: name, members, last }]),
    ];
    const isNew = given.some(([name]) => !this.has(name));
    for (const [name, summary] of given) {
      const known = this.summaries.get(name);
      // An answer may be older than what has come meanwhile.
      const isOld = (summary.last?.row ?? 0) < (known?.last?.row ?? 0);
      this.summaries.set(name, isOld ? { ...summary, last: known.last } : summary);
      if (!known) this.introduce(name);
      this.refresh(name);
    }
    this.sort();
    document.getElementById('nobody').hidden = given.length > 0;
    return isNew;
  }

  /** The last message of a conversation has come over the connection. */
  note(message) {
    const name = this.history.name(message);
    if (!this.has(name) || message.row <= this.lastRow(name)) return;
    this.summaries.set(name, { ...this.summaries.get(name), last: message });
  }

  introduce(name) {
    const entry = this.template.content.firstElementChild.cloneNode(true);
    const button = entry.querySelector('button');
    button.dataset.chat = name;
    button.classList.toggle('group', this.isGroup(name));
    entry.querySelector('.face').textContent = [...this.title(name)][0];
    entry.querySelector('.name').textContent = this.title(name);
    this.list.append(entry);
  }

  refresh(name) {
    const button = this.button(name);
    if (!button) return;
    const online = this.isOnline(name);
    button.classList.toggle('online', online === true);
    const presence = { true: 'online', false: 'away' }[online] ?? '';
    button.querySelector('.presence').textContent = this.isGroup(name) ? 'group' : presence;
    const last = this.last(name);
    button.querySelector('.last').textContent = last ? this.line(last) : 'No messages yet';
    const time = button.querySelector('time');
    time.textContent = last ? brief(last.time) : '';
    if (last) time.dateTime = new Date(last.time).toISOString();
    const unread = this.unread(name);
    const badge = button.querySelector('.badge');
    badge.hidden = unread === 0;
    badge.querySelector('.count').textContent = unread || '';
  }

  /** A message in one line. */
  line({ from, group, text, deleted }) {
    const isMine = from === this.history.me;
    const author = group ? `${this.person(from)}: ` : '';
    return `${isMine ? 'You: ' : author}${deleted ? 'Message deleted' : text}`;
  }

  /** The last message: of the server, or one that is on its way there. */
  last(name) {
    const here = this.history.of(name).at(-1);
    const there = this.summaries.get(name)?.last;
    return here && !(here.row < there?.row) ? here : there;
  }

  /** Puts the latest conversations first, and those without a message behind them, by title. */
  sort() {
    const entries = [...this.list.children];
    const name = (entry) => entry.firstElementChild.dataset.chat;
    const time = (entry) => this.last(name(entry))?.time ?? 0;
    const title = (entry) => this.title(name(entry));
    const sorted = entries.toSorted((a, b) => time(b) - time(a) || title(a).localeCompare(title(b)));
    if (sorted.every((entry, at) => entry === entries[at])) return;
    // An element that is moved loses the focus.
    const focused = document.activeElement;
    this.list.append(...sorted);
    if (this.list.contains(focused)) focused.focus();
  }

  /** Marks the conversation that is open. */
  choose(name) {
    for (const button of this.list.querySelectorAll('button')) {
      button.toggleAttribute('aria-current', button.dataset.chat === name);
    }
  }
}
