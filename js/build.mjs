// Writes dist/chatpush.mjs, the ES module, dist/chatpush.js, the classic script with the global ChatPush, and
// dist/chatpush-worker.js, the worker that shows notifications. They are kept in the repository, because the daemon
// embeds the two scripts when it is compiled.
import { readFile } from 'node:fs/promises';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** The esbuild options of each file. */
export async function bundles() {
  const { version } = JSON.parse(await readFile(new URL('package.json', import.meta.url), 'utf8'));
  const common = {
    absWorkingDir: fileURLToPath(new URL('.', import.meta.url)),
    bundle: true,
    target: 'es2020',
    charset: 'utf8',
    banner: { js: `/* chatpush ${version}, MIT OR Apache-2.0 */` },
  };
  const [client, worker] = ['src/chatpush.js', 'src/worker.js'].map((entry) => ({ entryPoints: [entry] }));
  return [
    { ...common, ...client, format: 'esm', outfile: 'dist/chatpush.mjs' },
    { ...common, ...client, format: 'iife', globalName: 'ChatPush', minify: true, outfile: 'dist/chatpush.js' },
    { ...common, ...worker, format: 'iife', minify: true, outfile: 'dist/chatpush-worker.js' },
  ];
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const bundle of await bundles()) await build(bundle);
  const script = await readFile(new URL('dist/chatpush.js', import.meta.url));
  console.log(`dist/chatpush.js: ${script.length} bytes, ${gzipSync(script).length} gzipped`);
}
