// The chat page: connects the parts.
import { Conversation } from './conversation.js';
import { MessageHistory } from './message-history.js';
import { Outbox } from './outbox.js';
import { People } from './people.js';
import { ask, post } from './server.js';
import { waits } from './ticks.js';

/** The interval for polling who is online and what was delivered, in milliseconds. */
const POLL_INTERVAL = 5_000;

/** When the page first asks whether a sent message was delivered, in milliseconds. */
const FIRST_CHECK = 700;

/** Messages within so many milliseconds are marked as read together. */
const READ_INTERVAL = 300;

const me = Number(document.body.dataset.user);
const $ = (id) => document.getElementById(id);

const history = await MessageHistory.open(me).catch((problem) => {
  complain('The chat needs storage in this browser, and the browser refuses it.');
  throw problem;
});
const people = new People($('people'), history);
const conversation = new Conversation(history);
const outbox = new Outbox(history, { everybody: () => people.ids(), changed: sent, problem: complain });
history.changed = refresh;

// --- The connection

const chat = ChatPush.connect({ name: String(me), token: async () => (await post('token.php')).token });
let signedIn = false;
let unread = 0;
let reading;

// When this has ended, the message is confirmed and its row is deleted: the browser has stored it.
chat.on('message', async ({ id, data, time }) => {
  const { from, text } = JSON.parse(data);
  if (await history.add({ person: from, id, text, time })) announce(`${people.name(from)}: ${text}`);
  refresh(from);
  if (from === conversation.person) await view();
});

chat.on('unread', (count) => {
  unread = count;
  // While a mark-as-read is under way the counter is about to become 0.
  if (!reading) showUnread();
});

chat.on('state', (state) => {
  $('state').dataset.state = state;
  $('state').textContent = { open: 'Connected', closed: 'Not connected' }[state] ?? 'Connecting…';
  if (state !== 'open') return;
  outbox.run();
  if (!signedIn) signIn();
});

// The client reconnects by itself, and the page header shows the state.
chat.on('error', (error) => console.warn(error));

/** Calls the page that an application calls after sign-in. */
async function signIn() {
  try {
    await post('online.php');
    signedIn = true;
  } catch {
    // The daemon sends the stored messages in any case.
  }
}

// --- Read messages

/** Marks the open conversation as seen, unless the page is hidden. */
async function view() {
  const { person } = conversation;
  if (person === undefined || document.visibilityState !== 'visible') return;
  if (unread > 0 || history.unseen(person).length > 0) markRead();
  await history.see(person);
  refresh(person);
}

/** Resets the unread counter: at once, and once more for all messages of the next moment. */
function markRead() {
  if (reading) {
    reading.again = true;
    return;
  }
  chat.markRead();
  reading = { again: false };
  setTimeout(() => {
    const { again } = reading;
    reading = undefined;
    if (again) markRead();
    else showUnread();
  }, READ_INTERVAL);
}

function showUnread() {
  $('unread').hidden = unread === 0;
  $('unread').querySelector('.count').textContent = unread || '';
  document.title = unread === 0 ? 'Chat' : `(${unread}) Chat`;
}

// --- Display

/** A conversation has changed, here or in another tab. */
function refresh(person) {
  if (person === conversation.person) conversation.refresh();
  people.refresh(person);
}

/** One of the user's own messages has changed. */
function sent(person) {
  refresh(person);
  if (history.of(person).some(waits)) setTimeout(() => deliveries(person).catch(() => {}), FIRST_CHECK);
}

/** Announces a text to screen readers. */
function announce(words) {
  $('announce').textContent = words;
}

function complain(words) {
  $('problem').textContent = words ?? '';
}

async function deliveries(person) {
  const waiting = history.of(person).filter(waits);
  if (waiting.length === 0) return;
  const still = new Set((await ask(`waiting.php?receiver_id=${person}`)).waiting);
  for (const { id, state } of waiting) {
    if (!still.has(id)) await history.change(person, id, state, 'delivered');
  }
  refresh(person);
}

async function look() {
  try {
    people.look((await ask('people.php')).people);
    for (const person of people.ids()) await deliveries(person);
  } catch {
    // The next poll tries again.
  }
  setTimeout(look, POLL_INTERVAL);
}

// --- Actions of the user

function open(person) {
  $('with').textContent = people.name(person);
  $('welcome').hidden = true;
  $('conversation').hidden = false;
  document.body.classList.add('talking');
  people.choose(person);
  conversation.open(person);
  view();
  // On a touch screen, focusing the text field would open the keyboard over half of the messages.
  (matchMedia('(pointer: coarse)').matches ? $('with') : $('text')).focus();
}

/** Goes back to the list of people. */
function leave() {
  document.body.classList.remove('talking');
  people.button(conversation.person)?.focus();
  // On a wide page the conversation stays in view.
  if (matchMedia('(max-width: 40rem)').matches) {
    conversation.person = undefined;
    people.choose();
  }
}

function submit(event) {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text === '' || conversation.person === undefined) return;
  $('text').value = '';
  outbox.take(conversation.person, text);
}

$('people').addEventListener('click', (event) => {
  const chosen = event.target.closest('button');
  if (chosen) open(Number(chosen.dataset.person));
});
$('back').addEventListener('click', leave);
$('conversation').addEventListener('keydown', (event) => event.key === 'Escape' && leave());
$('send').addEventListener('submit', submit);
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
});
document.addEventListener('visibilitychange', view);
look();
