// What the page asks in a dialog: the members of a new group, and whether to delete a message.
import { post } from './server.js';

const $ = (id) => document.getElementById(id);

/** Asks for a name and members, and creates the group. */
export class GroupDialog {
  /** @param created Called with the name of the new conversation. */
  constructor(chats, created) {
    Object.assign(this, { chats, created });
    this.dialog = $('group');
    this.form = this.dialog.querySelector('form');
    $('new-group').addEventListener('click', () => this.show());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.create();
    });
    this.dialog.querySelector('.cancel').addEventListener('click', () => this.dialog.close());
  }

  show() {
    const people = this.chats.people().toSorted((a, b) => a.title.localeCompare(b.title));
    this.form.reset();
    this.complain('');
    $('members').replaceChildren(...people.map(choice));
    this.dialog.showModal();
    $('group-name').focus();
  }

  async create() {
    const members = [...$('members').querySelectorAll(':checked')].map(({ value }) => ['members[]', value]);
    const name = $('group-name').value.trim();
    if (name === '') {
      this.complain('Give the group a name.', $('group-name'));
      return;
    }
    if (members.length === 0) {
      this.complain('Choose at least one person.', $('members').querySelector('input'));
      return;
    }
    try {
      const { group } = await post('group.php', [['name', name], ...members]);
      this.dialog.close();
      this.created(`group:${group}`);
    } catch ({ message }) {
      this.complain(message, $('group-name'));
    }
  }

  /** Shows what is wrong, and leads to the field. */
  complain(words, field) {
    $('group-problem').textContent = words;
    $('group-name').setAttribute('aria-invalid', field === $('group-name'));
    field?.focus();
  }
}

/** Asks whether to delete a message of the user's own, and deletes it. */
export class DeleteDialog {
  /** @param deleted Called with what the server says about the message. */
  constructor(deleted) {
    this.deleted = deleted;
    this.dialog = $('delete');
    this.button = this.dialog.querySelector('.confirm');
    this.button.addEventListener('click', () => this.delete());
    this.dialog.querySelector('.cancel').addEventListener('click', () => this.dialog.close());
  }

  show(message) {
    this.message = message;
    $('delete-text').textContent = message.text;
    $('delete-problem').textContent = '';
    this.button.textContent = message.group ? 'Delete for all' : 'Delete for both';
    this.button.disabled = false;
    this.dialog.showModal();
  }

  async delete() {
    this.button.disabled = true;
    try {
      const deleted = await post('delete.php', { id: this.message.id });
      this.dialog.close();
      this.deleted(deleted);
    } catch ({ message }) {
      $('delete-problem').textContent = message;
      this.button.disabled = false;
      this.button.focus();
    }
  }
}

/** A person to choose. */
function choice({ id, title }) {
  const line = $('choice').content.firstElementChild.cloneNode(true);
  line.querySelector('input').value = id;
  line.querySelector('.face').textContent = [...title][0];
  line.querySelector('.name').textContent = title;
  return line;
}
