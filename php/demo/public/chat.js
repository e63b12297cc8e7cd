// The chat page: puts its parts together.
import { Conversation } from './conversation.js';
import { Kept } from './kept.js';
import { Outbox } from './outbox.js';
import { People } from './people.js';
import { ask, post } from './server.js';
import { waits } from './ticks.js';

/** How often the page looks who is there and what has been delivered, in milliseconds. */
const LOOK = 5_000;

/** How long a message that was just sent is given to be confirmed, in milliseconds. */
const SOON = 700;

/** What comes within so many milliseconds is marked as read together. */
const MOMENT = 300;

const me = Number(document.body.dataset.user);
const $ = (id) => document.getElementById(id);

const kept = await Kept.open(me).catch((problem) => {
  complain('This browser keeps nothing for this page, and the chat needs that.');
  throw problem;
});
const people = new People($('people'), kept);
const conversation = new Conversation(kept);
const outbox = new Outbox(kept, { everybody: () => people.ids(), changed: sent, problem: complain });
kept.changed = refresh;

// --- The connection

const chat = ChatPush.connect({ name: String(me), token: async () => (await post('token.php')).token });
let signedIn = false;
let unread = 0;
let reading;

// The message is confirmed, and its row goes, when this has ended: the browser has it by then.
chat.on('message', async ({ id, data, time }) => {
  const { from, text } = JSON.parse(data);
  if (await kept.add({ person: from, id, text, time })) announce(`${people.name(from)}: ${text}`);
  refresh(from);
  if (from === conversation.person) await view();
});

chat.on('unread', (count) => {
  unread = count;
  // It is about to be 0 again.
  if (!reading) showUnread();
});

chat.on('state', (state) => {
  $('state').dataset.state = state;
  $('state').textContent = { open: 'Connected', closed: 'Not connected' }[state] ?? 'Connecting…';
  if (state !== 'open') return;
  outbox.run();
  if (!signedIn) signIn();
});

// The next attempt comes by itself, and the line at the top says what the state is.
chat.on('error', (error) => console.warn(error));

/** What an application does when somebody signs in. */
async function signIn() {
  try {
    await post('online.php');
    signedIn = true;
  } catch {
    // The daemon sends what waits in any case.
  }
}

// --- What was seen

/** The user looks at the open conversation, unless the page is hidden. */
async function view() {
  const { person } = conversation;
  if (person === undefined || document.visibilityState !== 'visible') return;
  if (unread > 0 || kept.unseen(person).length > 0) markRead();
  await kept.see(person);
  refresh(person);
}

/** Says so to the server: at once, and once more for all that comes within a moment. */
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
  }, MOMENT);
}

function showUnread() {
  $('unread').hidden = unread === 0;
  $('unread').querySelector('.count').textContent = unread || '';
  document.title = unread === 0 ? 'Chat' : `(${unread}) Chat`;
}

// --- What is shown

/** A conversation has changed, here or in another tab. */
function refresh(person) {
  if (person === conversation.person) conversation.refresh();
  people.refresh(person);
}

/** One of the user's own messages has changed. */
function sent(person) {
  refresh(person);
  if (kept.of(person).some(waits)) setTimeout(() => deliveries(person).catch(() => {}), SOON);
}

/** Says something to those who do not see the page. */
function announce(words) {
  $('announce').textContent = words;
}

function complain(words) {
  $('problem').textContent = words ?? '';
}

async function deliveries(person) {
  const waiting = kept.of(person).filter(waits);
  if (waiting.length === 0) return;
  const still = new Set((await ask(`waiting.php?receiver_id=${person}`)).waiting);
  for (const { id, state } of waiting) {
    if (!still.has(id)) await kept.change(person, id, state, 'delivered');
  }
  refresh(person);
}

async function look() {
  try {
    people.look((await ask('people.php')).people);
    for (const person of people.ids()) await deliveries(person);
  } catch {
    // The next look may be luckier.
  }
  setTimeout(look, LOOK);
}

// --- What the user does

function open(person) {
  $('with').textContent = people.name(person);
  $('welcome').hidden = true;
  $('conversation').hidden = false;
  document.body.classList.add('talking');
  people.choose(person);
  conversation.open(person);
  view();
  // A finger has not asked for the keyboard yet, which would hide half of what was said.
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
