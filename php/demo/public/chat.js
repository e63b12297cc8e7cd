// The chat page: connects the parts.
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { MessageHistory } from './history.js';
import { Outbox } from './outbox.js';
import { People } from './people.js';
import { Reader } from './reader.js';
import { ask, post } from './server.js';
import { waits } from './ticks.js';
import { Typing } from './typing.js';

/** The interval for polling who is here, what was delivered, and what came while the daemon was away. */
const POLL_INTERVAL = 5_000;

/** When the page first asks whether a sent message was delivered, in milliseconds. */
const FIRST_CHECK = 700;

const me = Number(document.body.dataset.user);
const $ = (id) => document.getElementById(id);

const history = new MessageHistory(me);
const people = new People($('people'), history);
const conversation = new Conversation(history);
const connection = new Connection();
const outbox = new Outbox(history, { changed: sent, problem: complain });

// --- The connection

const chat = ChatPush.connect({
  name: String(me),
  token: async () => (await post('token.php')).token,
  grant: async () => (await post('grant.php')).grant,
});
const typing = new Typing(chat, (person) => person === conversation.person && showPresence());
const reader = new Reader(chat, showUnread);
let signedIn = false;
let unread = 0;

// When this has ended, the message is confirmed and its row is deleted: it is in the history.
chat.on('message', ({ id, data }) => {
  const message = parsed(data);
  if (!message) {
    // It is confirmed all the same: if this failed, it would come again with every connection.
    console.warn(`message ${id} is not of this page`);
    return;
  }
  const person = history.person(message);
  if (!history.isMine(message)) typing.ended(person);
  if (history.add(message) && !history.isMine(message)) announce(`${people.name(person)}: ${message.text}`);
  if (people.has(person)) people.note(message);
  else look();
  refresh(person);
  people.sort();
  if (person === conversation.person) view();
});

chat.on('unread', (count) => {
  unread = count;
  // While a mark-as-read is under way the counter is about to become 0.
  if (!reader.isBusy) showUnread();
  // The user has read on another device or in another tab.
  if (count === 0 && !reader.isBusy) look();
});

chat.on('presence', (users) => {
  for (const [person, online] of Object.entries(users)) people.is(Number(person), online);
  showPresence();
});

chat.on('state', (state) => {
  connection.is(state);
  // What has come or gone meanwhile, or why there is no connection.
  look();
  if (state !== 'open') return;
  if (conversation.person !== undefined) load(conversation.person);
  outbox.run();
  if (!signedIn) signIn();
});

// The client reconnects by itself, and the page shows the state.
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

/** The message in a content of send.php, or null: other programs may send to this user too. */
function parsed(data) {
  try {
    const message = JSON.parse(data);
    return Number.isInteger(message.row) ? message : null;
  } catch {
    return null;
  }
}

// --- The history, and what the server knows

/** Loads what the server's history has of a conversation and the page has not. */
async function load(person) {
  try {
    await history.load(person);
  } catch {
    // The next poll tries again.
    return;
  }
  refresh(person);
  if (person === conversation.person) view();
  // Messages of this user that another device has written, and not handed over.
  outbox.run();
}

let polling;

/** Asks for the state of everything, and again after an interval. A call meanwhile is one more question. */
async function look() {
  if (polling) {
    polling.again = true;
    return;
  }
  clearTimeout(look.timer);
  polling = {};
  try {
    // The grant names those who were there before.
    if (people.look((await ask('people.php')).people)) chat.renewGrant();
    connection.reached(true);
    const { person } = conversation;
    if (person !== undefined && !history.isLoadedTo(person, people.lastRow(person))) await load(person);
    if (person !== undefined) conversation.refresh();
    showPresence();
    await deliveries();
    reader.retry();
  } catch (problem) {
    // An answer with an error is from a server that is there.
    connection.reached(problem.status !== undefined);
  }
  const { again } = polling;
  polling = undefined;
  look.timer = setTimeout(look, again ? 0 : POLL_INTERVAL);
}

/** Asks which of the user's messages were delivered meanwhile. */
async function deliveries() {
  const waiting = Map.groupBy(history.all().filter(waits), ({ to }) => to);
  for (const [person, messages] of waiting) {
    const still = new Set((await ask(`waiting.php?receiver_id=${person}`)).waiting);
    for (const message of messages) {
      if (!still.has(message.id)) history.add({ ...message, state: 'delivered' });
    }
    refresh(person);
  }
}

/** One of the user's own messages has changed. */
function sent(person) {
  const last = history.of(person).findLast(({ row }) => row);
  if (last && people.has(person)) people.note(last);
  refresh(person);
  people.sort();
  if (history.of(person).some(waits)) setTimeout(() => deliveries().catch(() => {}), FIRST_CHECK);
}

// --- Read messages

/** Marks the open conversation as seen, unless the page is hidden. */
function view() {
  const { person } = conversation;
  if (person === undefined || document.visibilityState !== 'visible' || !people.has(person)) return;
  if (unread > 0 || people.unseen(person) > 0) reader.see(person, people.see(person));
  people.refresh(person);
}

function showUnread() {
  $('unread').hidden = unread === 0;
  $('unread').querySelector('.count').textContent = unread || '';
  document.title = unread === 0 ? 'Chat' : `(${unread}) Chat`;
}

// --- Display

/** A conversation has changed. */
function refresh(person) {
  if (person === conversation.person) conversation.refresh();
  people.refresh(person);
}

/** Shows whether the other user of the conversation is connected. */
function showPresence() {
  // While the daemon is away, nobody is connected: that says nothing about the other user.
  const known = people.isOnline(conversation.person);
  const online = known === false && connection.state !== 'open' ? null : known;
  const state = { true: 'Online', false: 'Away. Messages wait for them.' }[online] ?? '';
  const words = typing.is(conversation.person) ? 'is typing…' : state;
  if ($('presence').textContent !== words) $('presence').textContent = words;
  $('presence').dataset.online = online;
}

/** Announces a text to screen readers. */
function announce(words) {
  $('announce').textContent = words;
}

function complain(words = '') {
  if ($('problem').textContent !== words) $('problem').textContent = words;
}

// --- Actions of the user

/** What the user has begun to write, by person. */
const drafts = new Map();

function open(person) {
  drafts.set(conversation.person, $('text').value);
  $('text').value = drafts.get(person) ?? '';
  allowSending();
  $('with').textContent = people.name(person);
  $('conversation').querySelector('.face').textContent = [...people.name(person)][0];
  $('welcome').hidden = true;
  $('conversation').hidden = false;
  document.body.classList.add('talking');
  people.choose(person);
  conversation.open(person, people.name(person), { seen: people.seen(person), last: people.lastRow(person) });
  showPresence();
  load(person);
  // On a touch screen, focusing the text field would open the keyboard over half of the messages.
  (matchMedia('(pointer: coarse)').matches ? $('with') : $('text')).focus();
}

/** Goes back to the list of people. */
function leave() {
  document.body.classList.remove('talking');
  people.button(conversation.person)?.focus();
  // On a wide page the conversation stays in view.
  if (matchMedia('(max-width: 40rem)').matches) {
    drafts.set(conversation.person, $('text').value);
    conversation.person = undefined;
    people.choose();
  }
}

/** An empty message cannot be sent. */
function allowSending() {
  $('send').querySelector('button').disabled = $('text').value.trim() === '';
}

function submit(event) {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text === '' || conversation.person === undefined) return;
  $('text').value = '';
  allowSending();
  // The button is disabled now and would lose the focus.
  $('text').focus();
  conversation.toEnd();
  outbox.take(conversation.person, text);
}

$('people').addEventListener('click', (event) => {
  const chosen = event.target.closest('button');
  if (chosen) open(Number(chosen.dataset.person));
});
$('back').addEventListener('click', leave);
$('earlier').addEventListener('click', () => conversation.showEarlier().catch(console.warn));
$('conversation').addEventListener('keydown', (event) => event.key === 'Escape' && leave());
$('send').addEventListener('submit', submit);
$('text').addEventListener('input', () => {
  allowSending();
  if (conversation.person !== undefined) typing.tell(conversation.person);
});
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
});
document.addEventListener('visibilitychange', view);
look();
