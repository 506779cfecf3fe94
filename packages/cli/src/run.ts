import { readFile } from 'node:fs/promises';
import { VfioError } from '@vfiokit/uapi';
import { type ArgDef, parseArgs, renderUsage } from 'citty';
import {
  type Command,
  EXIT_NO,
  EXIT_OK,
  EXIT_USAGE,
  type MachineChoice,
  UsageError,
} from './command.js';
import type { Io } from './io.js';
import { table, width } from './output.js';

/** Loads a command when it is asked for, so that the others cost nothing. */
export type CommandTable = Readonly<Record<string, () => Promise<Command>>>;

const DESCRIPTION =
  'vfiokit models vfio-pci-core, the drivers derived from it, groups and containers';
const DEFAULT_MACHINE = 'live';

/** Options of every command, and what each needs. */
const GLOBAL_OPTIONS = {
  '--machine': 'a name, a file, a directory, an archive or "live"',
  '--variant': "a package, or the path of a built module, that exports a driver's Variant",
} as const;
type GlobalOption = keyof typeof GLOBAL_OPTIONS;

/** Carries out a command line; returns the exit status. Nothing is thrown but errors of the program itself. */
export async function run(
  argv: readonly string[],
  commands: CommandTable,
  io: Io,
): Promise<number> {
  try {
    const { machine, named, rest } = takeGlobals(argv);
    const [name, ...raw] = rest;
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      await help(commands, io);
      return name === undefined ? EXIT_USAGE : EXIT_OK;
    }
    if (name === '--version' || name === '-V') {
      io.print(await version());
      return EXIT_OK;
    }
    const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (load === undefined)
      throw new UsageError(
        `${name}: no such command;${await suggestion(name, Object.keys(commands))} vfiokit --help lists them`,
      );
    const command = await load();
    if (asksForHelp(raw)) {
      await commandHelp(command, io);
      return EXIT_OK;
    }
    const args = await parse(command, raw);
    if (command.ownMachines === true && named)
      throw new UsageError(`${command.name}: has machines of its own; leave --machine out`);
    return await command.run({ args, raw, machine, io });
  } catch (error) {
    if (error instanceof UsageError) {
      io.warn(error.message);
      return EXIT_USAGE;
    }
    const told = await toldOfFile(error);
    if (told instanceof VfioError) {
      io.warn(told.message);
      return EXIT_NO;
    }
    throw told;
  }
}

/** What the system refuses is a matter of the machine, not a mistake of the program: no trace of the stack then. */
async function toldOfFile(error: unknown): Promise<unknown> {
  const path = error instanceof Error && 'syscall' in error && 'path' in error && error.path;
  if (typeof path !== 'string') return error;
  const { fileError } = await import('@vfiokit/host');
  return fileError(path, error);
}

/** Takes `--machine X` and every `--variant X` out of a command line, wherever they stand before `--`. */
function takeGlobals(argv: readonly string[]): {
  machine: MachineChoice;
  named: boolean;
  rest: string[];
} {
  const rest = [...argv];
  const taken: Record<GlobalOption, string[]> = { '--machine': [], '--variant': [] };
  for (let i = 0; i < rest.length && rest[i] !== '--'; ) {
    const [option, inline] = splitOption(rest[i]!);
    if (!isGlobal(option)) {
      i += 1;
      continue;
    }
    const [, next] = rest.splice(i, inline === undefined ? 2 : 1);
    const value = inline ?? next;
    if (!value) throw new UsageError(`${option}: needs ${GLOBAL_OPTIONS[option]}`);
    taken[option].push(value);
  }
  const named = taken['--machine'].at(-1);
  return {
    machine: { name: named ?? DEFAULT_MACHINE, variants: taken['--variant'] },
    named: named !== undefined,
    rest,
  };
}

function splitOption(word: string): [option: string, value: string | undefined] {
  const at = word.indexOf('=');
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

const isGlobal = (word: string): word is GlobalOption => Object.hasOwn(GLOBAL_OPTIONS, word);

function asksForHelp(raw: readonly string[]): boolean {
  const end = raw.indexOf('--');
  return (end === -1 ? raw : raw.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

async function parse(
  command: Command,
  raw: readonly string[],
): Promise<ReturnType<typeof parseArgs>> {
  const definitions = Object.entries(command.args);
  await checkOptions(command, raw, definitions);
  let args: ReturnType<typeof parseArgs>;
  try {
    args = parseArgs([...raw], command.args);
  } catch (error) {
    throw new UsageError(
      `${command.name}: ${lowerFirst(plain((error as Error).message))}; vfiokit ${command.name} --help shows how`,
    );
  }
  const positionals = definitions.filter(([, { type }]) => type === 'positional').length;
  if (command.variadic !== true && args._.length > positionals)
    throw new UsageError(`${command.name}: one argument too many: ${args._[positionals]}`);
  if (args._.includes(''))
    throw new UsageError(
      `${command.name}: an argument is empty; vfiokit ${command.name} --help shows what is meant`,
    );
  return args;
}

/** citty takes any option; one that nobody knows is more likely a slip. */
async function checkOptions(
  command: Command,
  raw: readonly string[],
  definitions: readonly (readonly [string, ArgDef])[],
): Promise<void> {
  const options = definitions.filter(([, { type }]) => type !== 'positional');
  const find = (name: string) =>
    options.find(([key, definition]) => key === name || aliases(definition).includes(name))?.[1];
  for (let i = 0; i < raw.length && raw[i] !== '--'; i += 1) {
    const word = raw[i]!;
    if (!/^-./.test(word)) continue;
    const [name, value] = word.replace(/^--?/, '').split('=', 2) as [string, string?];
    const known =
      find(name) ?? (find(name.replace(/^no-/, ''))?.type === 'boolean' ? BOOLEAN : undefined);
    if (known === undefined)
      throw new UsageError(
        `${command.name}: no option ${word};${await suggestion(
          `--${name}`,
          options.map(([key]) => `--${key}`),
        )} vfiokit ${command.name} --help lists them`,
      );
    if (known.type === 'boolean') continue;
    if (value === undefined) i += 1;
    if (!(value ?? raw[i]))
      throw new UsageError(`${command.name}: ${word.split('=')[0]} needs a value`);
  }
}

/** What a word that nobody knows may have been meant to be; loaded when somebody slips. */
async function suggestion(word: string, words: readonly string[]): Promise<string> {
  const { nearest } = await import('@vfiokit/binder');
  const [near] = nearest(word, words);
  return near === undefined ? '' : ` did you mean ${near}?`;
}

async function version(): Promise<string> {
  const path = new URL('../package.json', import.meta.url);
  const { name, version } = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  return `${name} ${version}`;
}

const BOOLEAN: ArgDef = { type: 'boolean' };

function aliases(definition: ArgDef): readonly string[] {
  const alias = 'alias' in definition ? definition.alias : undefined;
  return alias === undefined ? [] : typeof alias === 'string' ? [alias] : alias;
}

async function help(commands: CommandTable, io: Io): Promise<void> {
  const { bold } = io.colors;
  io.print(DESCRIPTION);
  io.print();
  io.print(
    `${bold('usage')}  vfiokit [--machine NAME|FILE|DIR|ARCHIVE|live] [--variant MODULE]… COMMAND …`,
  );
  io.print();
  const loaded = await Promise.all(Object.values(commands).map((load) => load()));
  for (const line of table(
    loaded.map(({ name, summary }) => [name, summary]),
    { indent: '  ' },
  ))
    io.print(line);
  io.print();
  io.print('--variant puts a driver of yours on modelled machines: a package, or a built module.');
  io.print(
    'vfiokit COMMAND --help shows its options and an example; vfiokit --version the release.',
  );
}

async function commandHelp(command: Command, io: Io): Promise<void> {
  const usage = await renderUsage(
    { meta: { name: command.name, description: command.summary }, args: command.args },
    { meta: { name: 'vfiokit' } },
  );
  // Where several values may stand, their name is followed by dots.
  const synopsis = command.variadic === true ? usage.replace(/^(.*USAGE.*)$/m, '$1…') : usage;
  const { wrapText } = await import('@vfiokit/binder');
  for (const line of synopsis.trimEnd().split('\n')) {
    const text = (io.colors.bold('') === '' ? plain(line) : line).trimEnd();
    // What an option is for stands behind its name, a gap of four apart.
    const [, name = '', purpose = text] = /^(.*?\S {4})(\S.*)$/.exec(text) ?? [];
    const indent = ' '.repeat(width(name));
    const [first = '', ...rest] = wrapText(purpose, Math.max(20, io.columns - width(name)));
    io.print(`${name}${first}`.trimEnd());
    for (const more of rest) io.print(`${indent}${more}`.trimEnd());
  }
  io.print();
  if (command.ownMachines !== true) {
    io.print('--machine and --variant: vfiokit --help tells of them.');
    io.print();
  }
  io.print(io.colors.bold(command.examples.length === 1 ? 'EXAMPLE' : 'EXAMPLES'));
  for (const example of command.examples) io.print(`  vfiokit ${example}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one.
const plain = (text: string) => text.replace(/\x1b\[[0-9;]*m/g, '');
const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
