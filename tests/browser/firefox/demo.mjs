// The demo with settings of its own, and what PHP does beside it.
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class Demo {
  /** Starts the servers. The daemon gets `settings` as its environment. */
  static async start(settings) {
    const demo = new Demo();
    const program = process.env.CHATPUSH_STACK ?? 'target/release/chatpush-stack';
    // The command prints the addresses, and ends with its input.
    const command = ['run', '--demo', '--', 'sh', '-c', 'env -0; echo end; exec cat'];
    const env = { ...process.env, ...settings };
    demo.process = spawn(program, command, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    demo.ended = new Promise((resolve) => demo.process.once('exit', resolve));
    demo.env = await demo.environment();
    demo.url = demo.env.CHATPUSH_TEST_HTTP_URL;
    return demo;
  }

  async environment() {
    let said = '';
    for await (const part of this.process.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      said += part;
      if (said.endsWith('\0end\n')) break;
    }
    if (!said.endsWith('\0end\n')) throw new Error('the demo does not start');
    const lines = said.split('\0').map((line) => line.match(/^(CHATPUSH_TEST_\w+|CHATPUSH_EXTENSION)=(.*)$/s));
    return Object.fromEntries(lines.filter(Boolean).map(([, name, value]) => [name, value]));
  }

  /** Runs a line of PHP with the extension. Returns what it prints. */
  async php(code, ...values) {
    const { env } = this;
    const options = {
      extension: env.CHATPUSH_EXTENSION,
      'chatpush.redis_url': env.CHATPUSH_TEST_REDIS_URL,
      'chatpush.prefix': env.CHATPUSH_TEST_PREFIX,
      'chatpush.secret': env.CHATPUSH_TEST_SECRET,
    };
    const words = Object.entries(options).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
    return (await run('php', [...words, '-r', code, '--', ...values])).stdout;
  }

  /** Sends a message from one user to another, of a type that the demo's page confirms and does not show. */
  send(from, to, text) {
    return this.php('ChatPush\\sendMessage((int) $argv[1], (int) $argv[2], $argv[3]);', from, to, text);
  }

  /** Runs an SQL statement. Returns the client's output without column names. */
  async sql(statement) {
    const { env } = this;
    const words = [
      '--no-defaults', '--batch', '--skip-column-names', `--socket=${env.CHATPUSH_TEST_MYSQL_SOCKET}`,
      `--user=${env.CHATPUSH_TEST_MYSQL_USER}`, `--password=${env.CHATPUSH_TEST_MYSQL_PASSWORD}`,
      env.CHATPUSH_TEST_MYSQL_DATABASE, '--execute', statement,
    ];
    return (await run('mariadb', words)).stdout.trim();
  }

  async stop() {
    this.process.stdin.end();
    await this.ended;
  }
}
