// The chat page: one socket, one conversation in view, what was said kept in this browser.
'use strict';

const me = Number(document.body.dataset.user);
const csrf = document.body.dataset.csrf;
const $ = (id) => document.getElementById(id);
const KEPT = 500;

let openPerson = null;

// --- The application's pages

async function post(page, fields = {}) {
  const response = await fetch(page, {
    method: 'POST',
    headers: { 'X-CSRF-Token': csrf },
    body: new URLSearchParams(fields),
  });
  if (response.status === 401) location.href = 'sign-in.php';
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// --- What was said

const place = (person) => `chat.${me}.${person}`;
const read = (person) => JSON.parse(localStorage.getItem(place(person)) ?? '[]');

function keep(person, message) {
  const messages = read(person);
  if (messages.some((known) => known.id === message.id)) return false;
  messages.push(message);
  localStorage.setItem(place(person), JSON.stringify(messages.slice(-KEPT)));
  return true;
}

// --- Who is there

async function look() {
  try {
    const { people } = await (await fetch('people.php')).json();
    for (const { id, online } of people) button(id)?.classList.toggle('online', online);
  } catch {
    // The next look may be luckier.
  }
}

// --- What comes

function receive(frame) {
  if (frame.type === 'unread_count') return showUnread(frame.data);
  const content = JSON.parse(frame.data);
  if (content.type === 'unread_count') return showUnread(content.data);
  const message = { id: frame.id, text: content.text, time: frame.time, waited: frame.offline === true };
  if (!keep(content.from, message)) return;
  if (content.from === openPerson) {
    show(message);
    if (message.waited) viewed();
  } else {
    count(content.from, 1);
  }
}

// --- The socket

let attempts = 0;

async function connect() {
  try {
    const { token } = await post('token.php');
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/ws?token=${token}`);
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = reconnect;
    socket.onopen = () => {
      attempts = 0;
      say('online');
      post('online.php').catch((problem) => say(problem.message));
    };
  } catch {
    reconnect();
look();
setInterval(look, 5_000);
  }
}

function reconnect() {
  say('connecting');
  const pause = Math.random() * Math.min(10_000, 250 * 2 ** attempts++);
  setTimeout(connect, pause);
}

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
  read(person).forEach(show);
  $('text').focus();
  viewed();
}

function complain(problem) {
  $('problem').textContent = problem?.message ?? '';
  $('problem').hidden = !problem;
}

async function send(event) {
  event?.preventDefault();
  const person = openPerson;
  const text = $('text').value.trim();
  if (text === '' || person === null) return;
  complain(null);
  $('text').value = '';
  try {
    const { how } = await post('send.php', { receiver_id: person, text });
    const message = { id: `${Date.now()}-${Math.random()}`, text, time: Date.now(), mine: true, how };
    keep(person, message);
    if (person === openPerson) show(message);
  } catch (problem) {
    $('text').value = text;
    complain(problem);
  }
}

document.querySelector('nav').addEventListener('click', (event) => {
  const chosen = event.target.closest('button');
  if (chosen) open(Number(chosen.dataset.person));
});
$('back').addEventListener('click', () => document.body.classList.remove('talking'));
$('send').addEventListener('submit', send);
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
});
connect();
look();
setInterval(look, 5_000);
