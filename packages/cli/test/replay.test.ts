import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { COMMANDS, captureIo, run } from 'vfiokit';
import { describe, expect, test } from 'vitest';

const TRACE = fileURLToPath(new URL('../demo/two-functions.jsonl.gz', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vfiokit-replay-'));
const lines = gunzipSync(readFileSync(TRACE)).toString('utf8').split('\n');

/** A copy of the trace with one line changed. */
function changed(name: string, find: string, change: (line: string) => string): string {
  const at = lines.findIndex((line) => line.includes(find));
  const path = join(folder, name);
  writeFileSync(path, lines.map((line, i) => (i === at ? change(line) : line)).join('\n'));
  return path;
}

async function replay(
  ...argv: readonly string[]
): Promise<{ status: number; out: readonly string[]; err: readonly string[] }> {
  const io = captureIo();
  const status = await run(['replay', ...argv], COMMANDS, io);
  return { status, out: io.out.join('\n').split('\n'), err: io.err };
}

describe('vfiokit replay', () => {
  test('ends with how many operations match, and exits with 0 if all do', async () => {
    const { status, out } = await replay(TRACE);
    expect(out.at(-1)).toBe('replay: 1635 of 1635 operations match (100 %)');
    expect(status).toBe(0);
  });

  test('shows a difference with recorded and modelled outcome beside each other, and exits with 1', async () => {
    const path = changed('ret.jsonl', '"cmd":"GET_INFO"', (line) =>
      line.replace('"ret":0', '"ret":-16'),
    );
    const { status, out } = await replay(path);
    const at = out.findIndex((line) => line.includes('GET_INFO argsz='));
    expect(out[at]).toMatch(/ret\.jsonl seq \d+ \[multi\.all\] d0 GET_INFO argsz=64$/);
    expect(out[at + 1]).toMatch(/^ +recorded +model$/);
    expect(out[at + 2]).toMatch(/^ +ret +-16 \(EBUSY\) +0$/);
    expect(out.at(-1)).toBe('replay: 1634 of 1635 operations match (99.93 %)');
    expect(status).toBe(1);
  });

  test('shows as many differences as --limit says', async () => {
    const path = changed('limit.jsonl', '"cmd":"GET_INFO"', (line) =>
      line.replace('"ret":0', '"ret":-16'),
    );
    const { out } = await replay(path, '--limit', '0');
    expect(out.some((line) => line.includes('recorded'))).toBe(false);
  });

  test('plays the other files when one is broken, and exits with 1', async () => {
    const broken = join(folder, 'broken.jsonl');
    writeFileSync(broken, `${lines[0]}\n{"op"`);
    const { status, out, err } = await replay(broken, TRACE);
    expect(err[0]).toMatch(/broken\.jsonl:2: not JSON/);
    expect(out.at(-1)).toBe('replay: 1635 of 1635 operations match (100 %)');
    expect(status).toBe(1);
  });

  test('takes folders and patterns', async () => {
    const nested = join(folder, 'some/where');
    mkdirSync(nested, { recursive: true });
    writeFileSync(join(nested, 'a.jsonl'), lines.join('\n'));
    writeFileSync(join(nested, 'b.jsonl'), lines.join('\n'));
    writeFileSync(join(nested, 'notes.txt'), 'no trace');
    expect((await replay(join(folder, 'some'))).out.at(-1)).toMatch(/of 3270 operations/);
    expect((await replay(join(folder, 'some/*/a.jsonl'))).out.at(-1)).toMatch(/of 1635 operations/);
    expect((await replay(join(folder, 'so?e/**/*.jsonl'))).out.at(-1)).toMatch(
      /of 3270 operations/,
    );
  });

  test('says where nothing was found', async () => {
    expect(await replay(join(folder, 'none'))).toMatchObject({
      status: 1,
      err: [`${folder}/none: no such file`],
    });
    const { status, err } = await replay(join(folder, 'none*.jsonl'));
    expect(status).toBe(1);
    expect(err[0]).toMatch(/no such traces there/);
  });

  test('counts device and IOMMU side apart in its document', async () => {
    const { status, out } = await replay(TRACE, '--json');
    const document = JSON.parse(out.join('\n'));
    expect(status).toBe(0);
    expect(document.total).toEqual({ matched: 1635, explained: 0, differing: 0 });
    expect(document.device.matched + document.iommu.matched).toBe(1635);
    expect(document.files).toHaveLength(1);
    expect(document.differences).toEqual([]);
  });

  test('takes an operation that it does not know for skipped, and says so', async () => {
    const path = changed('unknown.jsonl', '"op":"section"', () => '{"seq":3,"op":"teleport"}');
    const { status, err } = await replay(path);
    expect(err[0]).toMatch(/op "teleport" is not known here; skipped 1 line/);
    expect(status).toBe(0);
  });
});
