// Runs the benchmarks, `packages/*/bench/*.bench.ts`, against the built packages: `npm run bench [-- WORD…]` runs those
// whose path contains one of the words. Each file exports `bench(report)`; its figures are ratios of two ways in one run.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformWithOxc } from 'vite';

const root = fileURLToPath(new URL('../', import.meta.url));
const words = process.argv.slice(2);

/** Strips the types of a package's bench folder into its `.cache`, from where its imports resolve as they do in its `dist`. */
async function compile(name) {
  const source = join(root, 'packages', name, 'bench');
  const target = join(root, 'packages', name, '.cache', 'bench');
  const files = (await readdir(source).catch(() => [])).filter((file) => file.endsWith('.ts'));
  if (files.length > 0) await mkdir(target, { recursive: true });
  const benches = [];
  for (const file of files) {
    const path = join(source, file);
    const { code } = await transformWithOxc(await readFile(path, 'utf8'), path, {
      target: 'es2022',
      sourcemap: false,
    });
    const compiled = join(target, file.replace(/\.ts$/, '.js'));
    await writeFile(compiled, code);
    if (file.endsWith('.bench.ts')) benches.push({ title: relative(root, path), compiled });
  }
  return benches;
}

console.log(`node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`);
let failed = 0;
for (const name of (await readdir(join(root, 'packages'))).sort()) {
  for (const { title, compiled } of await compile(name)) {
    if (words.length > 0 && !words.some((word) => title.includes(word))) continue;
    console.log(`\n${title}`);
    try {
      const { bench } = await import(pathToFileURL(compiled).href);
      await bench((line) => console.log(`  ${line}`));
    } catch (error) {
      failed += 1;
      console.error(`  ${title}: failed:`, error);
    }
  }
}
process.exitCode = failed === 0 ? 0 : 1;
