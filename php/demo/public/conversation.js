// The open conversation.
import { clock, day, dayOf } from './dates.js';
import { linked } from './links.js';
import { mark } from './ticks.js';

/** How far from the end, in pixels, the user may have scrolled and still see new messages. */
const NEAR = 80;

export class Conversation {
  lines = new Map();
  days = new Map();

  constructor(history) {
    this.history = history;
    this.log = document.getElementById('log');
    this.list = document.getElementById('messages');
    this.empty = document.getElementById('empty');
    this.earlier = document.getElementById('earlier');
    this.divider = separator('divider', 'New');
    this.log.addEventListener('scroll', () => { this.isAtEnd = this.rest() < NEAR; });
    // The last message stays in view: a notice, a long text or the keyboard of a phone take height away.
    new ResizeObserver(() => this.isAtEnd && this.toEnd()).observe(this.log);
  }

  /**
   * Shows a conversation. A line stands before the first of the other user's messages that are new now: those
   * after the row `seen`, up to the row `last`.
   */
  open(person, name, { seen, last }) {
    const isNew = ({ from, row }) => from === person && row > seen && row <= last;
    Object.assign(this, { person, name, isNew });
    this.lines.clear();
    this.days.clear();
    this.list.replaceChildren();
    this.refresh();
    this.toEnd();
  }

  /** Shows new and changed messages. */
  refresh() {
    const messages = this.history.of(this.person);
    const firstNew = messages.find(this.isNew);
    const nodes = [];
    let before;
    for (const message of messages) {
      if (dayOf(message.time) !== before) nodes.push(this.day(message.time));
      if (message === firstNew) nodes.push(this.divider);
      nodes.push(this.line(message));
      before = dayOf(message.time);
    }
    arrange(this.list, nodes);
    this.empty.hidden = messages.length > 0 || !this.history.isLoaded(this.person);
    this.empty.textContent = `No messages yet. Say hello to ${this.name}.`;
    this.earlier.hidden = !this.history.hasEarlier(this.person);
    if (this.isAtEnd) this.toEnd();
  }

  /** Loads and shows messages from before those that are shown. What the user looks at stays where it is. */
  async showEarlier() {
    const { person } = this;
    await this.history.loadEarlier(person);
    if (person !== this.person) return;
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
    const key = `${message.from}:${message.id}`;
    if (!this.lines.has(key)) this.lines.set(key, made(message, this.history.isMine(message)));
    const line = this.lines.get(key);
    // The time of a message that was written here becomes that of the history.
    const time = line.querySelector('time');
    time.dateTime = new Date(message.time).toISOString();
    if (time.textContent !== clock(message.time)) time.textContent = clock(message.time);
    if (message.state) mark(line.querySelector('.tick'), message);
    return line;
  }
}

function made({ id, text }, isMine) {
  const line = document.getElementById('line').content.firstElementChild.cloneNode(true);
  line.dataset.id = id;
  line.classList.toggle('mine', isMine);
  line.querySelector('.who').textContent = isMine ? 'You:' : '';
  line.querySelector('p').append(...linked(text));
  if (!isMine) line.querySelector('.tick').remove();
  return line;
}

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
