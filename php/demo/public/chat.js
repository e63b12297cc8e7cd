// The chat page: one socket, one conversation in view, what was said kept in this browser.
'use strict';

const me = Number(document.body.dataset.user);
const csrf = document.body.dataset.csrf;
const $ = (id) => document.getElementById(id);
const KEPT = 500;

const shown = new Set();
let openPerson = null;
let sending = Promise.resolve();

// --- The application's pages

async function ask(page, options) {
  const response = await fetch(page, options);
  if (response.status === 401) location.href = 'sign-in.php';
  const answer = await response.json().catch(() => ({ error: 'The server has a problem.' }));
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

const post = (page, fields = {}) =>
  ask(page, { method: 'POST', headers: { 'X-CSRF-Token': csrf }, body: new URLSearchParams(fields) });

// --- What was said

const place = (person) => `chat.${me}.${person}`;
const read = (person) => JSON.parse(localStorage.getItem(place(person)) ?? '[]');

function keep(person, message) {
  const messages = read(person);
  if (messages.some((known) => known.id === message.id)) return;
  messages.push(message);
  try {
    localStorage.setItem(place(person), JSON.stringify(messages.slice(-KEPT)));
  } catch {
    // A full or forbidden storage forgets what was said; it is still shown now.
  }
}

// --- Who is there

async function look() {
  try {
    const { people } = await ask('people.php');
    for (const { id, username, online } of people) {
      (button(id) ?? introduce(id, username)).classList.toggle('online', online);
    }
  } catch {
    // The next look may be luckier.
  }
}

// Somebody who has registered since the page was made.
function introduce(id, username) {
  const made = $('person').content.firstElementChild.cloneNode(true);
  made.dataset.person = id;
  made.querySelector('.face').textContent = [...username][0];
  made.querySelector('.name').textContent = username;
  document.querySelector('nav').append(made);
  return made;
}

// --- What comes

function receive(frame) {
  const content = JSON.parse(frame.data);
  const message = { id: frame.id, text: content.text, time: frame.time, waited: frame.offline === true };
  // Tabs share what is kept, so each remembers for itself what it has shown.
  if (shown.has(message.id)) return;
  shown.add(message.id);
  keep(content.from, message);
  if (content.from === openPerson) {
    show(message);
    if (message.waited) viewed();
  } else {
    count(content.from, 1);
  }
}

// --- The connection

const chat = ChatPush.connect({ name: String(me), token: async () => (await post('token.php')).token });

chat.on('message', receive);
chat.on('unread', showUnread);
chat.on('state', (state) => {
  say(state === 'open' ? 'online' : state === 'closed' ? 'offline' : 'connecting');
  if (state === 'open') post('online.php').catch((problem) => complain(problem));
});

// --- The page

function say(state) {
  $('state').textContent = state;
  $('state').dataset.state = state;
}

function showUnread(number) {
  $('unread').hidden = number === 0;
  $('unread').textContent = number;
}

const button = (person) => document.querySelector(`nav button[data-person="${person}"]`);

function count(person, more) {
  const badge = button(person)?.querySelector('.badge');
  if (!badge) return;
  badge.textContent = more === 0 ? '' : Number(badge.textContent) + more;
  badge.hidden = badge.textContent === '';
}

function show(message) {
  const line = document.createElement('li');
  line.classList.toggle('mine', message.mine === true);
  line.dataset.id = message.id;
  const text = document.createElement('p');
  text.textContent = message.text;
  const time = document.createElement('time');
  time.dateTime = new Date(message.time).toISOString();
  time.textContent = new Date(message.time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (message.how) time.textContent += message.how === 'pushed' ? ' · live' : ' · waiting for them';
  line.append(text, time);
  $('messages').append(line);
  line.scrollIntoView({ block: 'end' });
}

async function viewed() {
  try {
    showUnread((await post('view.php')).unread);
  } catch (problem) {
    complain(problem);
  }
}

function open(person) {
  openPerson = person;
  for (const other of document.querySelectorAll('nav button')) {
    other.setAttribute('aria-current', String(Number(other.dataset.person) === person));
  }
  count(person, 0);
  $('with').textContent = button(person).querySelector('.name').textContent;
  $('messages').replaceChildren();
  $('welcome').hidden = true;
  $('conversation').hidden = false;
  document.body.classList.add('talking');
  for (const message of read(person)) {
    shown.add(message.id);
    show(message);
  }
  $('text').focus();
  viewed();
}

function complain(problem) {
  $('problem').textContent = problem?.message ?? '';
  $('problem').hidden = !problem;
}

function submit(event) {
  event?.preventDefault();
  const person = openPerson;
  const text = $('text').value.trim();
  if (text === '' || person === null) return;
  complain(null);
  $('text').value = '';
  // One after the other, so that they arrive in the order in which they were written.
  sending = sending.then(() => send(person, text));
}

async function send(person, text) {
  try {
    const { how } = await post('send.php', { receiver_id: person, text });
    const message = { id: `${Date.now()}-${Math.random()}`, text, time: Date.now(), mine: true, how };
    keep(person, message);
    if (person === openPerson) show(message);
  } catch (problem) {
    complain(problem);
    // What may have been sent all the same is not offered for sending again.
    if (problem.status !== 504 && person === openPerson && $('text').value === '') $('text').value = text;
  }
}

document.querySelector('nav').addEventListener('click', (event) => {
  const chosen = event.target.closest('button');
  if (chosen) open(Number(chosen.dataset.person));
});
$('back').addEventListener('click', () => document.body.classList.remove('talking'));
$('send').addEventListener('submit', submit);
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
});
look();
setInterval(look, 5_000);
