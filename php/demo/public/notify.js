// The switch for notifications while no page is open.

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
