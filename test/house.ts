import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** What a package.json says, as far as these tests ask. */
export interface Manifest {
  readonly name: string;
  readonly description?: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly exports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export function readText(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}

export function readJson<T>(path: string): T {
  return JSON.parse(readText(path)) as T;
}

/** Folders with a package.json below `packages` or `examples`. */
export function packageFolders(parent: 'packages' | 'examples'): readonly string[] {
  return readdirSync(ROOT + parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => readdirSync(`${ROOT}${parent}/${name}`).includes('package.json'))
    .sort();
}

/** Paths of the files that git knows and that are there. */
export function trackedFiles(): readonly string[] {
  return execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '' && existsSync(ROOT + path));
}

export function manifest(folder: string): Manifest {
  return readJson<Manifest>(`${folder}/package.json`);
}

/** The packages of this repository that a package imports, by folder name; the CLI's package is called `vfiokit`. */
export function siblings({ dependencies = {} }: Manifest): readonly string[] {
  return Object.keys(dependencies)
    .filter((name) => name.startsWith('@vfiokit/') || name === 'vfiokit')
    .map((name) => (name === 'vfiokit' ? 'cli' : name.slice('@vfiokit/'.length)))
    .sort();
}

/** What the compiler says of a project, a line each, with paths from where it is called. */
export function typeErrors(project: string, cwd: string = ROOT): readonly string[] {
  const tsc = realpathSync(`${ROOT}node_modules/typescript/bin/tsc`);
  try {
    const options = { cwd, encoding: 'utf8' } as const;
    execFileSync(process.execPath, [tsc, '-p', project, '--pretty', 'false'], options);
    return [];
  } catch (error) {
    return (error as { stdout: string }).stdout.trim().split('\n');
  }
}

/** The text of one section of a Markdown file: from its heading to the next of the same or a higher level. */
export function section(markdown: string, heading: string): string {
  const lines = markdown.split('\n');
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading,
  );
  if (start === -1) throw new Error(`no section "${heading}"`);
  const level = lines[start]!.indexOf(' ');
  const end = lines.findIndex(
    (line, i) => i > start && /^#+ /.test(line) && line.indexOf(' ') <= level,
  );
  return lines.slice(start + 1, end === -1 ? undefined : end).join('\n');
}
