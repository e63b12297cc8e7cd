// An installation with an example's configuration, beside the demo's: its daemon, its pages, and their URL.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Nginx, freePort } from './nginx.mjs';
import { until } from './until.mjs';

/** The path of a file of the sources. */
export const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

const UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';

export class Installation {
  /**
   * Starts it in a database of its own.
   * @param {string} configuration The example's, as a path of the sources.
   * @param {string} root The folder of the pages.
   * @param {object} [options]
   * @param {object} [options.variables] Further variables of the environment of PHP.
   * @param {string} [options.sql] What is executed in the database before.
   * @param {string[][]} [options.commands] What `chatpushd` is to do before it runs.
   */
  static async start(configuration, root, { variables = {}, sql = '', commands = [['migrate']] } = {}) {
    const { env } = process;
    const installation = Object.assign(new Installation(), { processes: [] });
    const name = `example${randomBytes(4).toString('hex')}`;
    installation.database = name;
    const [listen, admin, pages] = [await freePort(), await freePort(), await freePort()];
    const grant = `GRANT ALL ON ${name}.* TO ${env.CHATPUSH_TEST_MYSQL_USER}@localhost`;
    installation.sql(`CREATE DATABASE ${name} CHARACTER SET utf8mb4; ${grant}; USE ${name}; ${sql}`, '');
    installation.daemon = {
      CHATPUSH_CONFIG: path(configuration),
      CHATPUSH_REDIS_URL: env.CHATPUSH_TEST_REDIS_URL,
      CHATPUSH_MYSQL_URL: env.CHATPUSH_TEST_MYSQL_URL.replace(/\/[^/?]+\?/, `/${name}?`),
      CHATPUSH_PREFIX: name,
      CHATPUSH_SECRET: env.CHATPUSH_TEST_SECRET,
      CHATPUSH_LISTEN: `127.0.0.1:${listen}`,
      CHATPUSH_ADMIN_LISTEN: `127.0.0.1:${admin}`,
    };
    for (const command of commands) execFileSync(env.CHATPUSH_DAEMON, command, { env: installation.daemon });
    installation.spawn(env.CHATPUSH_DAEMON, ['run'], installation.daemon);
    const settings = {
      extension: env.CHATPUSH_EXTENSION,
      'chatpush.redis_url': `"${env.CHATPUSH_TEST_REDIS_URL}"`,
      'chatpush.prefix': name,
      'chatpush.secret': env.CHATPUSH_TEST_SECRET,
    };
    const options = Object.entries(settings).flatMap(([key, value]) => ['-d', `${key}=${value}`]);
    const server = ['-S', `127.0.0.1:${pages}`, '-t', root];
    const database = {
      CHAT_MYSQL_SOCKET: env.CHATPUSH_TEST_MYSQL_SOCKET,
      CHAT_MYSQL_DATABASE: name,
      CHAT_MYSQL_USER: env.CHATPUSH_TEST_MYSQL_USER,
      CHAT_MYSQL_PASSWORD: env.CHATPUSH_TEST_MYSQL_PASSWORD,
    };
    installation.php = [options, { ...env, ...database, ...variables }];
    installation.runPhp(...server);
    const answers = (url) => fetch(url).then(({ ok }) => ok, () => false);
    await until('the daemon is ready', () => answers(`http://127.0.0.1:${admin}/ready`));
    // Any answer will do.
    await until('PHP answers', () => fetch(`http://127.0.0.1:${pages}/`).then(() => true, () => false));
    installation.nginx = await Nginx.before(`http://127.0.0.1:${pages}`, UPGRADE, `http://127.0.0.1:${listen}`);
    installation.url = installation.nginx.url;
    return installation;
  }

  /** Executes statements as the server's administrator. Returns the client's output without column names. */
  sql(statements, database = this.database) {
    const options = ['--no-defaults', '--batch', '--skip-column-names', '--user=root'];
    const socket = `--socket=${process.env.CHATPUSH_TEST_MYSQL_SOCKET}`;
    return execFileSync('mariadb', [...options, socket, '--execute', statements, ...(database ? [database] : [])])
      .toString().trim();
  }

  /** Starts PHP with these arguments, and does not wait for it. */
  runPhp(...args) {
    const [options, env] = this.php;
    this.spawn('php', [...options, ...args], env);
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

/** Opens a page with cookies of its own. */
export async function visit(browser, url, page) {
  const context = await browser.newContext();
  await context.route('**/chatpush.js', (route) => route.fulfill({ path: path('js/dist/chatpush.js') }));
  const opened = await context.newPage();
  await opened.goto(`${url}/${page}`);
  return opened;
}
