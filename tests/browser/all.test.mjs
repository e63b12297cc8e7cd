// Runs every case in one browser. Some wait half a minute for a dead network, so they run concurrently.
import { after, before, describe, test } from 'node:test';
import { launch } from './browser.mjs';
import * as admin from './cases/admin.mjs';
import * as chat from './cases/chat.mjs';
import * as closing from './cases/closing.mjs';
import * as contrast from './cases/contrast.mjs';
import * as conversation from './cases/conversation.mjs';
import * as cut from './cases/cut.mjs';
import * as devices from './cases/devices.mjs';
import * as example from './cases/example.mjs';
import * as flood from './cases/flood.mjs';
import * as forum from './cases/forum.mjs';
import * as gateway from './cases/gateway.mjs';
import * as groups from './cases/groups.mjs';
import * as history from './cases/history.mjs';
import * as historyTable from './cases/history-table.mjs';
import * as guests from './cases/guests.mjs';
import * as hole from './cases/hole.mjs';
import * as idle from './cases/idle.mjs';
import * as keyboard from './cases/keyboard.mjs';
import * as labels from './cases/labels.mjs';
import * as nginx from './cases/nginx.mjs';
import * as notifications from './cases/notifications.mjs';
import * as outbox from './cases/outbox.mjs';
import * as pack from './cases/package.mjs';
import * as phone from './cases/phone.mjs';
import * as presence from './cases/presence.mjs';
import * as plain from './cases/plain.mjs';
import * as polling from './cases/polling.mjs';
import * as restart from './cases/restart.mjs';
import * as queue from './cases/queue.mjs';
import * as ratchet from './cases/ratchet.mjs';
import * as recall from './cases/recall.mjs';
import * as receipts from './cases/receipts.mjs';
import * as signIn from './cases/sign-in.mjs';
import * as silent from './cases/silent.mjs';
import * as stopped from './cases/stopped.mjs';
import * as supervisor from './cases/supervisor.mjs';
import * as tabs from './cases/tabs.mjs';
import * as token from './cases/token.mjs';
import * as unread from './cases/unread.mjs';
import * as wide from './cases/wide.mjs';
import { UNTIL_TIMEOUT } from './until.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

const cases = (...modules) => {
  for (const { title, default: run } of modules) test(title, { timeout: 600_000 }, () => isolated(run));
};

/** Runs a case with browser contexts of its own, and closes them. */
async function isolated(run) {
  const contexts = [];
  const newContext = async (options) => {
    const context = await browser.newContext(options);
    contexts.push(context);
    context.setDefaultTimeout(UNTIL_TIMEOUT);
    return context;
  };
  try {
    await run({ newContext });
  } finally {
    for (const context of contexts) {
      await context.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
    }
  }
}

describe('together', { concurrency: 6 }, () => {
  cases(
    admin, hole, nginx, idle, cut, token, tabs, flood, chat, plain, keyboard, labels, phone, contrast, pack, example,
    history, presence, outbox, conversation, signIn, wide, closing,
    forum, gateway, guests, historyTable, ratchet, recall, receipts, groups, devices, unread, notifications,
  );
});

// These cases kill the daemon, which all cases share.
describe('alone', () => cases(restart, supervisor, polling, queue, stopped, silent));
