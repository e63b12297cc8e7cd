// The switch for notifications while no page is open.

/** How long signing out waits for the end of notifications, in milliseconds. */
const SIGN_OUT_TIME = 3_000;

export class NotifySwitch {
  constructor(chat, button, problem) {
    Object.assign(this, { chat, button, problem });
    button.addEventListener('click', () => this.turn());
  }

  /** Shows whether they are on. That is known once the page is connected. */
  show() {
    const { notifications } = this.chat;
    // While chatpush.js is not there, nothing is known.
    this.button.hidden = notifications === undefined || notifications === 'unsupported';
    this.button.setAttribute('aria-checked', notifications === 'on');
  }

  /** Whoever signs out is not told in this browser any more. If that fails, they are signed out all the same. */
  endAtSignOut(form) {
    form.addEventListener('submit', async (event) => {
      const { notifications } = this.chat;
      if (notifications === undefined || notifications === 'unsupported') return;
      event.preventDefault();
      const ended = this.chat.disableNotifications().catch(console.warn);
      await Promise.race([ended, new Promise((resolve) => { setTimeout(resolve, SIGN_OUT_TIME); })]);
      form.submit();
    });
  }

  /** A click: browsers ask the user only in one. */
  async turn() {
    const { chat, button, problem } = this;
    const turned = chat.notifications === 'on' ? chat.disableNotifications() : chat.enableNotifications();
    button.disabled = true;
    problem.textContent = '';
    try {
      await turned;
    } catch (error) {
      problem.textContent = error.message;
    }
    button.disabled = false;
    this.show();
  }
}
