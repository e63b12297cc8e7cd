// The npm package as a user sees it: packed, installed elsewhere, imported, type-checked.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/** A project that has installed the package, offline. */
let project;
let packed;
before(async () => {
  project = await mkdtemp(join(tmpdir(), 'chatpush-'));
  [packed] = JSON.parse((await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: root })).stdout);
  await writeFile(join(project, 'package.json'), '{"name": "shop", "private": true, "type": "module"}');
  const install = ['install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`];
  await run('npm', install, { cwd: project });
});
after(() => project && rm(project, { recursive: true }));

const installed = (path) => readFile(join(project, 'node_modules/chatpush', path), 'utf8');

test('it contains the needed files and nothing else', async () => {
  const paths = packed.files.map(({ path }) => path).filter((path) => !path.startsWith('src/'));
  assert.deepEqual(paths.sort(), [
    'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'chatpush.d.ts', 'dist/chatpush-worker.js', 'dist/chatpush.js',
    'dist/chatpush.mjs', 'package.json',
  ]);
  const manifest = JSON.parse(await installed('package.json'));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(manifest[kind], undefined);
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    assert.equal(await installed(name), await readFile(join(root, '..', name), 'utf8'), `${name} is the project's`);
  }
});

test('its size is what its README says', async () => {
  const [, claimed] = (await installed('README.md')).match(/About ([\d.]+) KB gzipped/);
  const bytes = gzipSync(await installed('dist/chatpush.js')).length;
  assert.ok(bytes < 9 * 1024);
  assert.equal((bytes / 1000).toFixed(1), claimed);
});

test('it can be imported', async () => {
  const program = "import * as chatpush from 'chatpush'; console.log(Object.keys(chatpush), typeof chatpush.connect)";
  const { stdout } = await run('node', ['--input-type=module', '--eval', program], { cwd: project });
  assert.equal(stdout, "[ 'connect' ] function\n");
});

test('its script defines one global', async () => {
  const program = "console.log(import.meta.resolve('chatpush/chatpush.js'))";
  const { stdout } = await run('node', ['--input-type=module', '--eval', program], { cwd: project });
  const context = createContext({});
  runInContext(await readFile(fileURLToPath(stdout.trim()), 'utf8'), context);
  assert.deepEqual(Object.keys(context), ['ChatPush']);
  assert.equal(typeof context.ChatPush.connect, 'function');
});

test('its types and the example of its README compile, for modules and scripts', async () => {
  const [, example] = (await installed('README.md')).match(/```js\n([^]*?)```/);
  const shop = 'declare function keep(message: object): Promise<void>;\n'
    + 'declare function showUnread(count: number): void;\ndeclare function showState(state: string): void;\n';
  await cp(join(root, 'test/package'), project, { recursive: true });
  await writeFile(join(project, 'readme.ts'), shop + example);
  const options = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022,dom', '--types', ''];
  for (const modules of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    const how = ['--module', modules[0], '--moduleResolution', modules[1], '--moduleDetection', 'auto'];
    const tsc = run(join(root, 'node_modules/.bin/tsc'), [...options, ...how, 'example.ts', 'readme.ts'], { cwd: project });
    await tsc.catch(({ stdout }) => assert.fail(stdout));
  }
  const script = [...options, '--module', 'esnext', '--moduleResolution', 'bundler', '--moduleDetection', 'legacy', 'script.ts'];
  await run(join(root, 'node_modules/.bin/tsc'), script, { cwd: project }).catch(({ stdout }) => assert.fail(stdout));
});
