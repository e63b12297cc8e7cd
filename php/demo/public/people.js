// The list of people: who is online, the last message, and the number of new ones.

export class People {
  constructor(list, history) {
    this.list = list;
    this.history = history;
    this.template = document.getElementById('person');
    for (const person of this.ids()) this.refresh(person);
  }

  ids() {
    return [...this.list.querySelectorAll('button')].map(({ dataset }) => Number(dataset.person));
  }

  button(person) {
    return this.list.querySelector(`button[data-person="${person}"]`);
  }

  name(person) {
    return this.button(person)?.querySelector('.name').textContent ?? 'Somebody';
  }

  /** Updates who is online, and adds people who have registered since the page was loaded. */
  look(people) {
    for (const { id, username, online } of people) {
      const button = this.button(id) ?? this.introduce(id, username);
      if (button.classList.contains('online') === online) continue;
      button.classList.toggle('online', online);
      button.querySelector('.presence').textContent = online ? 'online' : 'away';
    }
  }

  introduce(id, username) {
    const entry = this.template.content.firstElementChild.cloneNode(true);
    entry.querySelector('button').dataset.person = id;
    entry.querySelector('.face').textContent = [...username][0];
    entry.querySelector('.name').textContent = username;
    this.list.append(entry);
    this.refresh(id);
    return this.button(id);
  }

  /** Shows the last message of a conversation and the number of new ones. */
  refresh(person) {
    const button = this.button(person);
    if (!button) return;
    const last = this.history.of(person).at(-1);
    button.querySelector('.last').textContent = last ? `${last.mine ? 'You: ' : ''}${last.text}` : '';
    const unseen = this.history.unseen(person).length;
    const badge = button.querySelector('.badge');
    badge.hidden = unseen === 0;
    badge.querySelector('.count').textContent = unseen || '';
  }

  /** Marks the person whose conversation is open. */
  choose(person) {
    for (const button of this.list.querySelectorAll('button')) {
      button.toggleAttribute('aria-current', Number(button.dataset.person) === person);
    }
  }
}
