import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readTrace } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';
import { META } from './support/small-trace.js';

const folder = mkdtempSync(join(tmpdir(), 'vfiokit-trace-'));
let files = 0;

/** Writes a file; returns its path. */
function file(contents: string | Uint8Array, name = 'trace.jsonl'): string {
  files += 1;
  const path = join(folder, `${files}-${name}`);
  writeFileSync(path, contents);
  return path;
}

const lines = (...objects: readonly unknown[]) =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join('');
const READ = { seq: 1, op: 'pread', dev: 0, r: 7, o: 0, n: 4, ret: 4, out: '34127856' };

describe('a trace is read', () => {
  test('plain, with its operations in order', async () => {
    const trace = await readTrace(file(lines(META, READ, { ...READ, seq: 2 })));
    expect(trace.meta.kernel).toBe('7.2.12-test');
    expect(trace.operations.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  test('from gzip, whatever the file is called', async () => {
    const trace = await readTrace(file(gzipSync(lines(META, READ)), 'odd-name'));
    expect(trace.operations).toHaveLength(1);
  });

  test('without a newline at its end', async () => {
    const trace = await readTrace(file(lines(META, READ).trimEnd()));
    expect(trace.operations).toHaveLength(1);
  });

  test('with what the hardware probe found, apart from the operations', async () => {
    const probe = { op: 'hwprobe', bdf: '0000:00:03.0', wmask: '', w1c_seen: '', config: '' };
    const trace = await readTrace(file(lines(META, probe, READ)));
    expect(trace.probes.map(({ bdf }) => bdf)).toEqual(['0000:00:03.0']);
    expect(trace.operations).toHaveLength(1);
  });

  test('with operations that nobody knows counted, not refused', async () => {
    const trace = await readTrace(file(lines(META, { op: 'teleport' }, READ, { op: 'teleport' })));
    expect([...trace.unknown]).toEqual([['teleport', 2]]);
    expect(trace.operations).toHaveLength(1);
  });
});

describe('a broken trace gives one error with file and line', () => {
  const cut = gzipSync(lines(META, READ, READ, READ)).subarray(0, -20);
  const cases: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ['that ends in the middle of the gzip stream', cut, /:\d+: the gzip file ends here/],
    [
      'that is damaged gzip',
      Uint8Array.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
      /:1: damaged gzip file/,
    ],
    ['with a line that is not JSON', `${lines(META)}{"op":\n`, /:2: not JSON/],
    ['with a line that is no object', lines(META, 7), /:2: no object with an "op"/],
    ['without anything in it', '', /:1: is empty/],
    [
      'that starts with something else',
      lines(READ),
      /:1: starts with op "pread" instead of "meta"/,
    ],
    [
      'of another format',
      lines({ ...META, format: 2 }),
      /:1: has format 2; only format 1 is known/,
    ],
    ['without devices', lines({ ...META, devices: [] }), /:1: meta without a device/],
    [
      'without its groups',
      lines({ ...META, groups: undefined }),
      /:1: meta without its list "groups"/,
    ],
    [
      'with an incomplete device',
      lines({ ...META, devices: [{ bdf: 'x' }] }),
      /:1: meta with an incomplete device "x"/,
    ],
    [
      'with an operation that lacks a field',
      lines(META, { ...READ, o: undefined }),
      /:2: op "pread" without its number "o"/,
    ],
    [
      'with a device that there is not',
      lines(META, { ...READ, dev: 3 }),
      /:2: op "pread" of device 3, of which there are 1/,
    ],
    [
      "with an object that there can't be",
      lines(META, { op: 'close', obj: 'z9', ret: 0 }),
      /:2: op "close" of object "z9"/,
    ],
  ];

  test.each(cases)('%s', async (_name, contents, message) => {
    const path = file(contents);
    await expect(readTrace(path)).rejects.toMatchObject({
      name: 'VfioError',
      code: 'EINVAL',
      message: expect.stringMatching(message),
    });
    await expect(readTrace(path)).rejects.toMatchObject({ message: expect.stringContaining(path) });
  });

  test('that is not there', async () => {
    const path = join(folder, 'nowhere.jsonl');
    await expect(readTrace(path)).rejects.toMatchObject({
      code: 'ENOENT',
      message: `${path}: no such file`,
    });
  });

  test('that is a folder', async () => {
    await expect(readTrace(folder)).rejects.toMatchObject({
      code: 'EINVAL',
      message: `${folder}: is a directory; name the files in it`,
    });
  });
});
