import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Nginx, freePort } from '../nginx.mjs';
import { until } from '../until.mjs';

export const title = 'the example of customer service: a guest asks, the staff answers, the guest comes back';

const path = (file) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
const UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';

/** An installation with the example's configuration, beside the demo's: its daemon, its pages, and their URL. */
class Installation {
  static async start(password) {
    const { env } = process;
    const installation = Object.assign(new Installation(), { processes: [] });
    const name = `guests${randomBytes(4).toString('hex')}`;
    const [listen, admin, pages] = [await freePort(), await freePort(), await freePort()];
    const root = ['--no-defaults', `--socket=${env.CHATPUSH_TEST_MYSQL_SOCKET}`, '--user=root', '--execute'];
    const grant = `GRANT ALL ON ${name}.* TO ${env.CHATPUSH_TEST_MYSQL_USER}@localhost`;
    execFileSync('mariadb', [...root, `CREATE DATABASE ${name} CHARACTER SET utf8mb4; ${grant}`]);
    const daemon = {
      CHATPUSH_CONFIG: path('examples/guest-support/chatpush.toml'),
      CHATPUSH_REDIS_URL: env.CHATPUSH_TEST_REDIS_URL,
      CHATPUSH_MYSQL_URL: env.CHATPUSH_TEST_MYSQL_URL.replace(/\/[^/?]+\?/, `/${name}?`),
      CHATPUSH_PREFIX: name,
      CHATPUSH_SECRET: env.CHATPUSH_TEST_SECRET,
      CHATPUSH_LISTEN: `127.0.0.1:${listen}`,
      CHATPUSH_ADMIN_LISTEN: `127.0.0.1:${admin}`,
    };
    execFileSync(env.CHATPUSH_DAEMON, ['migrate'], { env: daemon });
    installation.spawn(env.CHATPUSH_DAEMON, ['run'], daemon);
    const settings = {
      extension: env.CHATPUSH_EXTENSION,
      'chatpush.redis_url': `"${env.CHATPUSH_TEST_REDIS_URL}"`,
      'chatpush.prefix': name,
      'chatpush.secret': env.CHATPUSH_TEST_SECRET,
    };
    const options = Object.entries(settings).flatMap(([key, value]) => ['-d', `${key}=${value}`]);
    const server = ['-S', `127.0.0.1:${pages}`, '-t', path('examples/guest-support/public')];
    installation.spawn('php', [...options, ...server], { ...env, CHAT_STAFF_PASSWORD: password });
    const answers = (url) => fetch(url).then(({ ok }) => ok, () => false);
    await until('the daemon is ready', () => answers(`http://127.0.0.1:${admin}/ready`));
    await until('PHP answers', () => answers(`http://127.0.0.1:${pages}/sign-in.php`));
    installation.nginx = await Nginx.before(`http://127.0.0.1:${pages}`, UPGRADE, `http://127.0.0.1:${listen}`);
    installation.url = installation.nginx.url;
    return installation;
  }

  spawn(program, args, env) {
    const started = spawn(program, args, { env, stdio: 'ignore' });
    // A failed test does not stop it.
    process.once('exit', () => started.kill('SIGKILL'));
    this.processes.push(started);
  }

  async stop() {
    await this.nginx?.stop();
    for (const started of this.processes) started.kill('SIGKILL');
  }
}

export default async function (browser) {
  const password = randomBytes(12).toString('hex');
  const installation = await Installation.start(password);
  try {
    await talk(browser, installation.url, password);
  } finally {
    await installation.stop();
  }
}

async function visit(browser, url, page) {
  const context = await browser.newContext();
  await context.route('**/chatpush.js', (route) => route.fulfill({ path: path('js/dist/chatpush.js') }));
  const opened = await context.newPage();
  await opened.goto(`${url}/${page}`);
  return opened;
}

async function talk(browser, url, password) {
  const staff = await visit(browser, url, 'sign-in.php');
  await staff.getByLabel('Name').fill('mira');
  await staff.getByLabel('Password').fill(password);
  await staff.getByRole('button', { name: 'Sign in' }).click();
  await staff.getByRole('heading', { name: 'Questions' }).waitFor();
  const guest = await visit(browser, url, 'page.php');
  for (const page of [staff, guest]) await page.locator('#state', { hasText: 'open' }).waitFor();
  const send = async (page, text) => {
    await page.getByLabel('Text').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText(`you: ${text}`, { exact: true }).waitFor();
  };
  await send(guest, '<b>Where is my order?</b>');
  await staff.getByText(/^guest\.[0-9a-f]{16}: <b>Where is my order\?<\/b>$/).waitFor();
  await send(staff, 'On its way.');
  await guest.getByText('staff.mira: On its way.', { exact: true }).waitFor();

  // Another guest gets nothing of it. The first one is away, and comes back with the same session.
  const other = await visit(browser, url, 'page.php');
  await other.locator('#state', { hasText: 'open' }).waitFor();
  await guest.goto('about:blank');
  await send(staff, 'It has arrived.');
  await guest.goto(`${url}/page.php`);
  await guest.getByText('staff.mira: It has arrived.', { exact: true }).waitFor();
  await send(other, 'a question of another');
  await staff.getByText(/: a question of another$/).waitFor();
  await send(staff, 'an answer to another');
  await other.getByText('staff.mira: an answer to another', { exact: true }).waitFor();
  await until('that is all', async () => (await other.getByRole('listitem').count()) === 2);
}
