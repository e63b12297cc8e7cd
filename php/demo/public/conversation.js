// The open conversation.
import { clock, day, dayOf } from './dates.js';
import { linked } from './links.js';
import { mark } from './ticks.js';

/** How far from the end, in pixels, the user may have scrolled and still see new messages. */
const NEAR = 80;

export class Conversation {
  lines = new Map();
  days = new Map();

  constructor(history, chats) {
    Object.assign(this, { history, chats });
    this.log = document.getElementById('log');
    this.list = document.getElementById('messages');
    this.empty = document.getElementById('empty');
    this.earlier = document.getElementById('earlier');
    this.divider = separator('divider', 'New');
    this.log.addEventListener('scroll', () => { this.isAtEnd = this.rest() < NEAR; });
    // The last message stays in view: a notice, a long text or the keyboard of a phone take height away.
    new ResizeObserver(() => this.isAtEnd && this.toEnd()).observe(this.log);
  }

  /** Shows a conversation. A line stands before the first of the others' messages that are new now. */
  open(name) {
    const [unread, last] = [this.chats.unread(name), this.chats.lastRow(name)];
    Object.assign(this, { name, unread, last, firstNew: undefined });
    this.lines.clear();
    this.days.clear();
    this.list.replaceChildren();
    this.refresh();
    this.toEnd();
  }

  /** Shows new and changed messages. */
  refresh() {
    const { name, history, chats } = this;
    const messages = history.of(name);
    const firstNew = this.newFrom(messages);
    const nodes = [];
    let before = {};
    for (const message of messages) {
      const isOtherDay = dayOf(message.time) !== dayOf(before.time);
      if (isOtherDay) nodes.push(this.day(message.time));
      if (message === firstNew) nodes.push(this.divider);
      const line = this.line(message);
      const isRun = !isOtherDay && message !== firstNew && message.from === before.from;
      // The name stands above the first of several messages. A screen reader hears it with each.
      const isNamed = message.group && !history.isMine(message) && !isRun;
      line.querySelector('.who').classList.toggle('hidden', !isNamed);
      nodes.push(line);
      before = message;
    }
    this.rove();
    arrange(this.list, nodes);
    this.empty.hidden = messages.length > 0 || !history.isLoaded(name);
    this.empty.textContent = `No messages yet. Say hello to ${chats.title(name)}.`;
    this.earlier.hidden = !history.hasEarlier(name);
    if (this.isAtEnd) this.toEnd();
  }

  /** The first of the messages that were unread when the conversation was opened. */
  newFrom(messages) {
    if (this.firstNew || !this.unread) return this.firstNew;
    const theirs = messages.filter((message) =>
      !this.history.isMine(message) && !message.deleted && message.row <= this.last);
    const first = theirs.at(-this.unread) ?? theirs[0];
    if (this.history.isLoadedTo(this.name, this.last)) this.firstNew = first;
    return first;
  }

  /** One button of all messages takes part in the order of Tab: the one that has the focus, or the last. */
  rove(chosen = this.list.querySelector('.delete:focus')) {
    const buttons = this.buttons();
    const one = chosen ?? buttons.at(-1);
    for (const button of buttons) button.tabIndex = button === one ? 0 : -1;
  }

  buttons() {
    return [...this.list.querySelectorAll('.delete')].filter(({ hidden }) => !hidden);
  }

  /** The arrow keys move between the buttons of the messages. */
  move(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const buttons = this.buttons();
    const next = step && buttons[buttons.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    this.rove(next);
    next.focus();
  }

  /** The user's own message of a button. */
  messageOf(button) {
    const line = button.closest('li');
    return this.history.of(this.name).find((message) => this.lines.get(key(message)) === line);
  }

  /** Loads and shows messages from before those that are shown. What the user looks at stays where it is. */
  async showEarlier() {
    const { name } = this;
    await this.history.loadEarlier(name);
    if (name !== this.name) return;
    const rest = this.log.scrollHeight - this.log.scrollTop;
    this.refresh();
    this.log.scrollTop = this.log.scrollHeight - rest;
    // The button loses the focus when it is hidden.
    if (this.earlier.hidden) this.log.focus({ preventScroll: true });
  }

  /** How many pixels are below what is in view. */
  rest() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight;
  }

  toEnd() {
    this.isAtEnd = true;
    this.log.scrollTop = this.log.scrollHeight;
  }

  day(time) {
    const key = dayOf(time);
    if (!this.days.has(key)) this.days.set(key, separator('day'));
    const element = this.days.get(key);
    if (element.textContent !== day(time)) element.textContent = day(time);
    return element;
  }

  line(message) {
    if (!this.lines.has(key(message))) this.lines.set(key(message), this.made(message));
    const line = this.lines.get(key(message));
    // The time of a message that was written here becomes that of the history.
    const time = line.querySelector('time');
    time.dateTime = new Date(message.time).toISOString();
    if (time.textContent !== clock(message.time)) time.textContent = clock(message.time);
    if (message.deleted && !line.classList.contains('deleted')) this.clear(line, message);
    const tick = line.querySelector('.tick');
    if (tick && message.state) mark(tick, message, this.chats.receivers(this.name));
    const button = line.querySelector('.delete');
    if (button) button.hidden = message.row === undefined || Boolean(message.deleted);
    return line;
  }

  made(message) {
    const { id, from, group, text } = message;
    const isMine = this.history.isMine(message);
    const line = document.getElementById('line').content.firstElementChild.cloneNode(true);
    line.dataset.id = id;
    line.classList.toggle('mine', isMine);
    const author = group ? this.chats.person(from) : '';
    line.querySelector('.who').textContent = isMine ? 'You:' : author;
    line.querySelector('p').append(...linked(text));
    if (!isMine) for (const part of line.querySelectorAll('.tick, .delete')) part.remove();
    return line;
  }

  /** A deleted message leaves a line, so that nobody wonders what the answers to it are about. */
  clear(line, message) {
    line.classList.add('deleted');
    line.querySelector('p').textContent =
      this.history.isMine(message) ? 'You deleted this message.' : 'This message was deleted.';
    line.querySelector('.tick')?.remove();
  }
}

const key = ({ from, id }) => `${from}:${id}`;

/** A line between messages. */
function separator(name, text = '') {
  const line = document.createElement('li');
  line.className = name;
  line.textContent = text;
  return line;
}

/** Makes these nodes the children of the list. Nodes that are at their place are left alone. */
function arrange(list, nodes) {
  let next = list.firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    else list.insertBefore(node, next);
  }
  while (next) {
    const { nextSibling } = next;
    next.remove();
    next = nextSibling;
  }
}
