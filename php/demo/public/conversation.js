// The open conversation.
import { mark } from './ticks.js';

export class Conversation {
  constructor(history) {
    this.history = history;
    this.log = document.getElementById('log');
    this.list = document.getElementById('messages');
    this.lines = new Map();
  }

  /** Shows another conversation, with a line before the new messages. */
  open(person) {
    this.person = person;
    this.lines.clear();
    this.list.replaceChildren();
    const [firstNew] = this.history.unseen(person);
    for (const message of this.history.of(person)) {
      if (message.id === firstNew?.id) this.list.append(divider());
      this.show(message);
    }
    this.log.scrollTop = this.log.scrollHeight;
  }

  /** Shows new and changed messages. */
  refresh() {
    // If the user has scrolled up, the position stays.
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
    for (const message of this.history.of(this.person)) this.show(message);
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  show(message) {
    let line = this.lines.get(message.id);
    if (!line) {
      line = made(message);
      this.lines.set(message.id, line);
      this.list.append(line);
    }
    if (message.mine) mark(line.querySelector('.tick'), message);
  }
}

function made({ id, text, time, mine }) {
  const line = document.getElementById('line').content.firstElementChild.cloneNode(true);
  line.dataset.id = id;
  line.classList.toggle('mine', mine === true);
  line.querySelector('.who').textContent = mine ? 'You:' : '';
  line.querySelector('p').textContent = text;
  const said = new Date(time);
  line.querySelector('time').dateTime = said.toISOString();
  line.querySelector('time').textContent = said.toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
  if (!mine) line.querySelector('.tick').remove();
  return line;
}

function divider() {
  const line = document.createElement('li');
  line.className = 'divider';
  line.textContent = 'New';
  return line;
}
