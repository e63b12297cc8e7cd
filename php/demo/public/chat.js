// The chat page: connects the parts.
import { Chats } from './chats.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { DeleteDialog, GroupDialog } from './dialogs.js';
import { MessageHistory } from './history.js';
import { NotifySwitch } from './notify.js';
import { Outbox } from './outbox.js';
import { Reader } from './reader.js';
import { ask, post } from './server.js';
import { waits } from './ticks.js';
import { Typing } from './typing.js';

/** The interval for polling while the daemon is away, and for asking again what PHP did not answer. */
const POLL_INTERVAL = 5_000;

const me = Number(document.body.dataset.user);
const $ = (id) => document.getElementById(id);

const history = new MessageHistory(me);
const chats = new Chats($('chats'), history);
const conversation = new Conversation(history, chats);
const connection = new Connection();
const outbox = new Outbox(history, { changed: sent, problem: complain });

// --- The connection

const chat = ChatPush.connect({
  name: String(me),
  token: async () => (await post('token.php')).token,
  grant: async () => (await post('grant.php')).grant,
});
const typing = new Typing(chat, chats, (name) => name === conversation.name && showPresence());
const reader = new Reader(chat);
const notify = new NotifySwitch(chat, $('notify'), $('notify-problem'));
notify.endAtSignOut(document.querySelector('form[action="sign-out.php"]'));
let signedIn = false;
/** Whether the page hears of people who register, by the grant of this connection. */
let hears = false;
let unread = 0;

// When this has ended, the message is confirmed and its row is deleted: it is in the history.
chat.on('message', ({ id, type, data }) => {
  const content = parsed(data);
  if (type === 'chat' && Number.isInteger(content?.row)) arrived(content);
  // The user is in a new group, or somebody has registered.
  else if (type === 'group' || type === 'people') look();
  // This user has deleted a message on another device.
  else if (type === 'deleted' && content?.from === me) taken([`${me}:${content.id}`]);
  // It is confirmed all the same: if this failed, it would come again with every connection.
  else console.warn(`message ${id} is not of this page`);
});

// A copy of what this user has sent on another device comes like a message of another user (`carbons`).
function arrived(message) {
  const name = history.name(message);
  const isMine = history.isMine(message);
  if (!isMine) typing.ended(name, message.from);
  const isNew = history.add(isMine ? { ...message, state: 'stored' } : message);
  if (isNew && !isMine) announce(message);
  if (chats.has(name)) chats.note(message);
  else look();
  refresh(name);
  chats.sort();
}

// The counters of all conversations come with each change, on every device of the user.
chat.on('unread', (count, by) => {
  unread = count;
  if (by) chats.count(by);
  view();
  showUnread();
});

// A client of a receiver has confirmed messages of this user (`receipts`).
chat.on('delivered', ({ to, ids }) => {
  const names = ids.map((id) => history.learn(id, { got: [to] }));
  for (const name of new Set(names)) if (name) refresh(name);
});

chat.on('recall', taken);

/** Messages were deleted by their senders. */
function taken(ids) {
  if (ids.includes(announce.id)) $('announce').textContent = '';
  const names = ids.map((id) => history.learn(id, { deleted: true }));
  for (const name of new Set(names)) if (name) refresh(name);
  // The last message of a conversation that is not open may be among them.
  look();
}

chat.on('presence', (users) => {
  for (const [user, online] of Object.entries(users)) chats.is(Number(user), online);
  showPresence();
  // The grant is in force. Whoever has registered before is in the list.
  if (!hears) look();
  hears = true;
});

chat.on('state', (state) => {
  connection.is(state);
  notify.show();
  hears = false;
  // What has come or gone meanwhile, or why there is no connection.
  look();
  if (state !== 'open') return;
  if (conversation.name !== undefined) load(conversation.name);
  deliveries().catch(console.warn);
  outbox.run();
  if (!signedIn) signIn();
});

// The client reconnects by itself, and the page shows the state.
chat.on('error', (error) => {
  console.warn(error);
  connection.failed(error.message);
});

/** Calls the page that an application calls after sign-in. */
async function signIn() {
  try {
    await post('online.php');
    signedIn = true;
  } catch {
    // The daemon sends the stored messages in any case.
  }
}

/** The content of a message, or null: other programs may send to this user too. */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

// --- The history, and what the server knows

/** Loads what the server's history has of a conversation and the page has not. */
async function load(name) {
  try {
    await history.load(name);
  } catch {
    lookLater();
    return;
  }
  refresh(name);
  // Messages of this user that another device has written, and not handed over.
  outbox.run();
}

let polling;

/**
 * Asks for the state of everything. While there is no connection, it asks again after an interval: then nobody tells the
 * page. A call meanwhile is one more question.
 */
async function look() {
  if (polling) {
    polling.again = true;
    return;
  }
  clearTimeout(look.timer);
  polling = {};
  try {
    const found = await ask('people.php');
    // The grant names those who were there before.
    if (chats.look(found)) chat.renewGrant();
    connection.reached(true);
    // A connection knows better.
    if (connection.state !== 'open' && found.unread) count(found.unread);
    const { name } = conversation;
    if (name !== undefined && !history.isLoadedTo(name, chats.lastRow(name))) await load(name);
    if (name !== undefined) refresh(name);
    showPresence();
  } catch (problem) {
    // An answer with an error is from a server that is there.
    connection.reached(problem.status !== undefined);
    lookLater();
  }
  const { again } = polling;
  polling = undefined;
  if (again) lookLater(0);
  else if (connection.state !== 'open') lookLater();
}

function lookLater(delay = POLL_INTERVAL) {
  clearTimeout(look.timer);
  look.timer = setTimeout(look, delay);
}

/** Takes over the counters of all conversations. */
function count(counts) {
  chats.count(counts);
  unread = Object.values(counts).reduce((sum, some) => sum + some, 0);
  showUnread();
}

/** Asks which messages were delivered while there was no connection. Afterwards, receipts come over it. */
async function deliveries() {
  const waiting = Map.groupBy(history.all(), (message) => history.name(message));
  for (const [name, messages] of waiting) {
    const receivers = chats.receivers(name);
    const mine = messages.filter((message) => history.isMine(message) && waits(message, receivers));
    if (mine.length === 0) continue;
    const { waiting: still } = await ask(`waiting.php?conversation=${name}`);
    for (const { from, id } of mine) {
      const got = receivers.filter((user) => !(still[id] ?? []).includes(user));
      history.learn(`${from}:${id}`, { got });
    }
    refresh(name);
  }
}

/** One of the user's own messages has changed. */
function sent(name) {
  const last = history.of(name).findLast(({ row }) => row);
  if (last && chats.has(name)) chats.note(last);
  refresh(name);
  chats.sort();
}

// --- Read messages

/** Marks the open conversation as read, unless the page is hidden. */
function view() {
  const { name } = conversation;
  const isSeen = name !== undefined && document.visibilityState === 'visible';
  const before = chats.viewed;
  chats.viewed = isSeen ? name : undefined;
  if (isSeen && chats.counts[name] > 0) reader.see(name);
  if (before !== chats.viewed) for (const changed of [before, name]) chats.refresh(changed);
}

/** Shows the counter of all conversations. What the user is looking at is about to be marked as read. */
function showUnread() {
  const rest = Math.max(0, unread - (chats.counts[chats.viewed] ?? 0));
  $('unread').hidden = rest === 0;
  $('unread').querySelector('.count').textContent = rest || '';
  document.title = rest === 0 ? 'Chat' : `(${rest}) Chat`;
}

// --- Display

/** A conversation has changed. */
function refresh(name) {
  if (name === conversation.name) conversation.refresh();
  chats.refresh(name);
}

/** Shows who of the conversation is connected, or is typing. */
function showPresence() {
  const { name } = conversation;
  if (name === undefined) return;
  const words = typingIn(name) || (chats.isGroup(name) ? membersOf(name) : presenceOf(name));
  if ($('presence').textContent !== words) $('presence').textContent = words;
  $('presence').dataset.online = !chats.isGroup(name) && chats.isOnline(name);
}

function presenceOf(name) {
  // While the daemon is away, nobody is connected: that says nothing about the other user.
  const known = chats.isOnline(name);
  const online = known === false && connection.state !== 'open' ? null : known;
  return { true: 'Online', false: 'Away. Messages wait for them.' }[online] ?? '';
}

function membersOf(name) {
  const others = chats.members(name).filter(({ id }) => id !== me);
  const online = others.filter(({ id }) => chats.isOnline(id)).length;
  const names = ['You', ...others.map(({ username }) => username)].join(', ');
  return `${names}${online > 0 ? ` · ${online} online` : ''}`;
}

function typingIn(name) {
  const users = typing.who(name);
  if (!chats.isGroup(name)) return users.length > 0 ? 'is typing…' : '';
  if (users.length > 1) return `${users.length} are typing…`;
  return users.length === 1 ? `${chats.person(users[0])} is typing…` : '';
}

/** Announces a message to screen readers. */
function announce(message) {
  const place = message.group ? ` in ${chats.title(history.name(message))}` : '';
  $('announce').textContent = `${chats.person(message.from)}${place}: ${message.text}`;
  announce.id = `${message.from}:${message.id}`;
}

function complain(words = '') {
  if ($('problem').textContent !== words) $('problem').textContent = words;
}

// --- Actions of the user

/** What the user has begun to write, by conversation. */
const drafts = new Map();

function open(name) {
  drafts.set(conversation.name, $('text').value);
  $('text').value = drafts.get(name) ?? '';
  allowSending();
  $('with').textContent = chats.title(name);
  const face = $('conversation').querySelector('.face');
  face.textContent = [...chats.title(name)][0];
  $('conversation').classList.toggle('group', chats.isGroup(name));
  $('welcome').hidden = true;
  $('conversation').hidden = false;
  document.body.classList.add('talking');
  chats.choose(name);
  if (conversation.name !== name) conversation.open(name);
  view();
  showUnread();
  showPresence();
  load(name);
  // On a touch screen, focusing the text field would open the keyboard over half of the messages.
  (matchMedia('(pointer: coarse)').matches ? $('with') : $('text')).focus();
}

/** Goes back to the list. */
function leave() {
  document.body.classList.remove('talking');
  chats.button(conversation.name)?.focus();
  // On a wide page the conversation stays in view.
  if (matchMedia('(max-width: 40rem)').matches) {
    drafts.set(conversation.name, $('text').value);
    conversation.name = undefined;
    chats.choose();
    view();
  }
}

/** An empty message cannot be sent. */
function allowSending() {
  $('send').querySelector('button').disabled = $('text').value.trim() === '';
}

function submit(event) {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text === '' || conversation.name === undefined) return;
  $('text').value = '';
  allowSending();
  // The button is disabled now and would lose the focus.
  $('text').focus();
  conversation.toEnd();
  outbox.take(conversation.name, text);
}

new GroupDialog(chats, async (name) => {
  // The server knows the group; the list may not yet.
  chats.look(await ask('people.php'));
  open(name);
});
const deleting = new DeleteDialog((message) => {
  history.add(message);
  refresh(history.name(message));
  // The button of the message is gone.
  $('log').focus({ preventScroll: true });
});

$('chats').addEventListener('click', (event) => {
  const chosen = event.target.closest('button');
  if (chosen) open(chosen.dataset.chat);
});
$('messages').addEventListener('click', (event) => {
  const button = event.target.closest('.delete');
  if (button) deleting.show(conversation.messageOf(button));
});
$('messages').addEventListener('keydown', (event) => conversation.move(event));
$('back').addEventListener('click', leave);
$('earlier').addEventListener('click', () => conversation.showEarlier().catch(console.warn));
$('conversation').addEventListener('keydown', (event) => event.key === 'Escape' && leave());
$('send').addEventListener('submit', submit);
$('text').addEventListener('input', () => {
  allowSending();
  if (conversation.name !== undefined) typing.tell(conversation.name);
});
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
});
document.addEventListener('visibilitychange', () => {
  view();
  showUnread();
});
look();
