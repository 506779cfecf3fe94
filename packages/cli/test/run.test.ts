import { readFileSync } from 'node:fs';
import { VfioError } from '@vfiokit/uapi';
import { type CommandTable, captureIo, command, EXIT_OK, run } from 'vfiokit';
import { describe, expect, test } from 'vitest';

const seen: unknown[] = [];
const LIVE = { name: 'live', variants: [] };

const COMMANDS: CommandTable = {
  look: async () =>
    command({
      name: 'look',
      summary: 'look at something',
      examples: ['look 0000:00:02.0 --deep'],
      args: {
        what: { type: 'positional', required: true, description: 'What to look at' },
        deep: { type: 'boolean', description: 'Look closely' },
        limit: { type: 'string', description: 'How far', alias: 'l' },
      },
      run({ args, machine, io }) {
        seen.push({ what: args.what, deep: args.deep, limit: args.limit, machine });
        io.print('seen');
        return EXIT_OK;
      },
    }),
  alone: async () =>
    command({
      name: 'alone',
      summary: 'do it without a machine',
      examples: ['alone'],
      ownMachines: true,
      args: {},
      run: () => EXIT_OK,
    }),
  file: async () =>
    command({
      name: 'file',
      summary: 'read a file',
      examples: ['file x'],
      args: { path: { type: 'positional', required: true, description: 'Files' } },
      variadic: true,
      run({ args }) {
        readFileSync(args.path);
        return EXIT_OK;
      },
    }),
  fail: async () =>
    command({
      name: 'fail',
      summary: 'fail',
      examples: ['fail'],
      args: {},
      run() {
        throw new VfioError('EBUSY', '0000:00:02.0: in use; close it first');
      },
    }),
};

async function call(
  ...argv: readonly string[]
): Promise<{ status: number; out: string; err: string }> {
  const io = captureIo();
  const status = await run(argv, COMMANDS, io);
  return { status, out: io.out.join('\n'), err: io.err.join('\n') };
}

describe('a command line', () => {
  test('runs a command with its arguments', async () => {
    expect(await call('look', '0000:00:02.0', '--deep', '-l', '3')).toMatchObject({
      status: 0,
      out: 'seen',
    });
    expect(seen.at(-1)).toEqual({ what: '0000:00:02.0', deep: true, limit: '3', machine: LIVE });
  });

  test.each([
    [['--machine', 'x86-laptop', 'look', 'a']],
    [['look', '--machine', 'x86-laptop', 'a']],
    [['look', 'a', '--machine=x86-laptop']],
  ])('takes the machine out of %j', async (argv) => {
    expect((await call(...argv)).status).toBe(0);
    expect(seen.at(-1)).toMatchObject({ what: 'a', machine: { name: 'x86-laptop' } });
  });

  test('takes every variant out of it, in either spelling', async () => {
    expect((await call('--variant', 'a', 'look', '--variant=./b.js', 'x')).status).toBe(0);
    expect(seen.at(-1)).toMatchObject({
      what: 'x',
      machine: { name: 'live', variants: ['a', './b.js'] },
    });
  });

  test('lists the commands with --help', async () => {
    const { status, out } = await call('--help');
    expect(status).toBe(0);
    expect(out).toMatch(/^ {2}look +look at something$/m);
  });

  test.each(['--version', '-V'])('says with %s which release it is', async (option) => {
    const { status, out } = await call(option);
    expect(status).toBe(0);
    expect(out).toMatch(/^vfiokit \d+\.\d+\.\d+$/);
  });

  test("shows a command's options and example with --help", async () => {
    const { status, out } = await call('look', '--help');
    expect(status).toBe(0);
    expect(out).toContain('--limit');
    expect(out).toContain('  vfiokit look 0000:00:02.0 --deep');
    expect(out).toContain('--machine and --variant: vfiokit --help tells of them');
    expect((await call('alone', '--help')).out).not.toContain('--machine');
    expect((await call('file', '--help')).out).toContain('<PATH>…');
  });
});

describe('a wrong command line exits with 2 and says what is wrong', () => {
  test.each([
    [['teleport'], 'teleport: no such command; vfiokit --help lists them'],
    [['lok'], 'lok: no such command; did you mean look? vfiokit --help lists them'],
    [['look', 'a', '--dep'], 'look: no option --dep; did you mean --deep?'],
    [['look'], /^look: missing required positional argument: WHAT/],
    [['look', 'a', '--wide'], 'look: no option --wide; vfiokit look --help lists them'],
    [['look', 'a', '--limit'], 'look: --limit needs a value'],
    [['look', 'a', '--limit', ''], 'look: --limit needs a value'],
    [['look', 'a', '--limit='], 'look: --limit needs a value'],
    [['look', 'a', '-l='], 'look: -l needs a value'],
    [['look', ''], 'look: an argument is empty; vfiokit look --help shows what is meant'],
    [['look', 'a', '--machine='], /^--machine: needs a name/],
    [['alone', '--machine', 'x86-server'], 'alone: has machines of its own; leave --machine out'],
    [['foo'], 'foo: no such command; vfiokit --help lists them'],
    [['look', 'a', 'b'], 'look: one argument too many: b'],
    [['look', 'a', '--machine'], /^--machine: needs a name/],
    [['look', 'a', '--variant'], /^--variant: needs a package/],
  ])('%j', async (argv, message) => {
    const { status, out, err } = await call(...argv);
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(message);
  });

  test('no command at all shows the list', async () => {
    const { status, out } = await call();
    expect(status).toBe(2);
    expect(out).toContain('usage  vfiokit');
  });
});

describe('what fails', () => {
  test('of a file is told by its name, without a trace of the stack', async () => {
    expect(await call('file', '/nowhere/at/all')).toEqual({
      status: 1,
      out: '',
      err: '/nowhere/at/all: no such file or folder',
    });
  });

  test('because of a mistake of the program is thrown', async () => {
    await expect(
      run(['broken'], { broken: () => Promise.reject(new TypeError('ours')) }, captureIo()),
    ).rejects.toThrow('ours');
  });

  test('exits with 1 and a message that starts with its subject', async () => {
    expect(await call('fail')).toEqual({
      status: 1,
      out: '',
      err: '0000:00:02.0: in use; close it first',
    });
  });
});
