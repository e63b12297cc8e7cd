// The demo's database, as its administrator sees it.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs SQL statements. Returns the client's output without column names. */
export async function sql(statements) {
  const { env } = process;
  const { stdout } = await run('mariadb', [
    '--no-defaults', '--batch', '--skip-column-names',
    `--socket=${env.CHATPUSH_TEST_MYSQL_SOCKET}`, `--user=${env.CHATPUSH_TEST_MYSQL_USER}`,
    `--password=${env.CHATPUSH_TEST_MYSQL_PASSWORD}`, env.CHATPUSH_TEST_MYSQL_DATABASE,
    '--execute', statements,
  ]);
  return stdout.trim();
}
