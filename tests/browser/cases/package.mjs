import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Person, demo } from '../person.mjs';

export const title = 'the npm package works as a module and as a script';

const run = promisify(execFile);
const sources = fileURLToPath(new URL('../../../js', import.meta.url));

export default async function (browser) {
  const folder = await mkdtemp(join(tmpdir(), 'chatpush-'));
  try {
    const packed = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: sources });
    await run('tar', ['-xf', join(folder, JSON.parse(packed.stdout)[0].filename), '-C', folder]);
    const ben = await Person.register(browser, 'Pack Ben');
    const ann = await Person.register(browser, 'Pack Ann');
    const csrf = await ann.page.locator('body').getAttribute('data-csrf');

    // A page of the same host, with routes for the package's files and a script that uses them.
    const page = await ann.context.newPage();
    await page.route(`${demo}/package/**`, async (route) => {
      const path = new URL(route.request().url()).pathname;
      const body = path.endsWith('/module.mjs') ? MODULE : await readFile(join(folder, path)).catch(() => '');
      return route.fulfill({ status: body ? 200 : 404, contentType: 'text/javascript', body });
    });
    await page.goto(`${demo}/sign-in.php`);
    await page.evaluate(prepare, csrf);
    await page.addScriptTag({ url: '/package/dist/chatpush.js' });
    await page.evaluate(() => window.use('script', window.ChatPush.connect));
    await page.addScriptTag({ url: '/package/module.mjs', type: 'module' });
    for (const how of ['module', 'script']) await page.locator(`#${how}[data-state=open]`).waitFor({ state: 'attached' });
    await ben.send(ann, 'for both');
    for (const how of ['module', 'script']) await page.locator(`#${how}`, { hasText: '["for both"]' }).waitFor();
  } finally {
    await rm(folder, { recursive: true });
  }
}

const MODULE = "import { connect } from './dist/chatpush.mjs'; window.use('module', connect);";

/** Defines `use`, which connects and shows the messages. Runs in the page. */
function prepare(csrf) {
  window.use = (how, connect) => {
    const line = document.body.appendChild(document.createElement('p'));
    line.id = how;
    const fetched = () => fetch('/token.php', { method: 'POST', headers: { 'X-CSRF-Token': csrf } });
    const chat = connect({ token: async () => (await (await fetched()).json()).token, name: how });
    const shown = [];
    chat.on('message', ({ data }) => {
      shown.push(JSON.parse(data).text);
      line.textContent = JSON.stringify(shown);
    });
    chat.on('state', (state) => { line.dataset.state = state; });
  };
}
