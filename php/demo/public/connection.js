// What the page says about its own connection.

/** A connection that is away for less than so many milliseconds is not worth a notice. */
const NOTICE_DELAY = 1_000;

const STATES = { open: 'Connected', closed: 'Not connected', unreachable: 'No connection. Trying again…' };
const ENDED = 'This connection was ended. Reload the page to go on.';
const LOST = 'Live connection lost. Messages come later; yours are sent when it is back.';
const NO_SERVER = 'The server cannot be reached. What you write is sent when it is back.';

export class Connection {
  state = 'connecting';
  isReached = true;
  reason = '';

  constructor() {
    this.line = document.getElementById('state');
    this.notice = document.getElementById('outage');
  }

  /** The state of the WebSocket has changed. */
  is(state) {
    this.state = state;
    this.line.dataset.state = state;
    this.line.textContent = STATES[state] ?? 'Connecting…';
    clearTimeout(this.timer);
    if (state === 'open' || this.notice.textContent) this.show();
    else this.timer = setTimeout(() => this.show(), NOTICE_DELAY);
  }

  /** chatpush.js says why something has failed. */
  failed(reason) {
    this.reason = reason;
    if (this.notice.textContent) this.show();
  }

  /** A request to PHP was answered, or not. */
  reached(isReached) {
    this.isReached = isReached;
    if (this.notice.textContent) this.show();
  }

  show() {
    const away = this.isReached ? LOST : NO_SERVER;
    // The reason is for whoever runs this chat; it comes when there was no connection for a while.
    const why = this.state === 'unreachable' && this.reason ? `\nWhy: ${this.reason}` : '';
    const notice = { open: '', closed: ENDED }[this.state] ?? away + why;
    // Screen readers read a status again when it is set, even to the same text.
    if (this.notice.textContent !== notice) this.notice.textContent = notice;
  }
}
