import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMANDS, captureIo, run } from 'vfiokit';
import { describe, expect, test } from 'vitest';

const TRACE = fileURLToPath(new URL('../demo/network-card.jsonl.gz', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vfiokit-inspect-'));

/** A function with MSI at 0x40 and a hot-plug controller, which vfio hides, at 0x50. */
function config(): Uint8Array {
  const bytes = new Uint8Array(256);
  bytes.set([0x34, 0x12, 0x78, 0x56, 0x03, 0x00, 0x10, 0x00, 0x01, 0x00, 0x00, 0x02]);
  bytes.set([0x00, 0x00, 0xa0, 0xfe], 0x10);
  bytes[0x34] = 0x40;
  bytes.set([0x0b, 0x01], 0x3c);
  bytes.set([0x05, 0x50, 0x00, 0x00], 0x40);
  bytes.set([0x0c, 0x00], 0x50);
  return bytes;
}

function file(name: string, contents: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

async function inspect(
  ...argv: readonly string[]
): Promise<{ status: number; out: string; err: readonly string[] }> {
  const io = captureIo();
  const status = await run(['inspect', ...argv], COMMANDS, io);
  return { status, out: io.out.join('\n'), err: io.err };
}

describe('vfiokit inspect', () => {
  test('shows a device of a trace as its user sees it', async () => {
    const { status, out, err } = await inspect(TRACE);
    expect(status).toBe(0);
    expect(out).toMatch(/^0000:01:00\.0 {2}Ethernet controller {2}8086:10d3 {2}revision 0$/m);
    expect(out).toMatch(/^ {2}3 {2}BAR3 +16 KiB {2}read write mmap {2}MSI-X table can be mapped$/m);
    expect(out).toMatch(/^ {2}2 {2}MSI-X {2}5 {2}eventfd$/m);
    expect(out).toMatch(/0xc8 {2}Power Management +8 bytes/);
    expect(err).toEqual([expect.stringMatching(/: recorded on Linux 7\.2/)]);
  });

  test('takes the bytes of a sysfs config file', async () => {
    const { status, out } = await inspect(file('config', config()));
    expect(status).toBe(0);
    expect(out).toMatch(/^0000:00:03\.0 {2}Ethernet controller {2}1234:5678/m);
    // The file does not tell of a group, so nothing is said of one.
    expect(out).toMatch(/^driver vfio-pci, can/m);
  });

  test('names the owner of every byte, and a hidden capability for what it is', async () => {
    const { out } = await inspect(file('owners', config()), '--json');
    const { owners, size } = JSON.parse(out).config;
    expect(size).toBe(256);
    expect(owners[0]).toEqual({ from: 0, to: 0x40, owner: 'header' });
    for (const [i, { from }] of owners.entries()) expect(from).toBe(i === 0 ? 0 : owners[i - 1].to);
    expect(owners.at(-1).to).toBe(256);
    const { out: text } = await inspect(file('owners-text', config()));
    expect(text).toMatch(/^ {2}0x[0-9a-f]+-0x[0-9a-f]+ raw, hidden: .* at 0x50$/m);
  });

  test('shows raw and virtual bytes beside each other where they differ', async () => {
    const { out } = await inspect(file('raw', config()));
    const lines = out.split('\n');
    const at = lines.findIndex((line) => line.startsWith('    000 '));
    expect(lines[at]).toMatch(/34 12 78 56 .* raw$/);
    expect(lines.slice(at, at + 3).join('\n')).toMatch(/virt$/m);
  });

  test('says so when a capture ends early', async () => {
    const { status, err } = await inspect(file('short', config().subarray(0, 64)));
    expect(status).toBe(0);
    expect(err.join('\n')).toMatch(/short: ends after 64 bytes/);
  });

  test('says what is wrong with a capability list, and shows the rest', async () => {
    const broken = config();
    broken[0x51] = 0x40;
    const { status, err } = await inspect(file('loop', broken));
    expect(status).toBe(0);
    expect(err.join('\n')).toMatch(/loop: 0x[0-9a-f]+: /);
  });

  const dump = [...config()]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .reduce(
      (text, byte, i) =>
        `${text}${i % 16 === 0 ? `\n${i.toString(16).padStart(2, '0')}:` : ''} ${byte}`,
      '',
    );
  const lspci = `00:02.0 Ethernet controller: A${dump}\n\n3b:00.1 Ethernet controller: B${dump}\n`;

  test('takes what lspci printed, one function of several by --device', async () => {
    const path = file('lspci.txt', lspci);
    expect((await inspect(path)).out).toMatch(/^0000:00:02\.0 /m);
    expect((await inspect(path, '--device', '3b:00.1')).out).toMatch(/^0000:3b:00\.1 /m);
  });

  test.each([
    [
      'a device that the text does not have',
      () => [file('l.txt', lspci), '--device', '00:1f.0'],
      /has no 0000:00:1f\.0; it has 0000:00:02\.0, 0000:3b:00\.1/,
    ],
    ['text without a dump', () => [file('t.txt', 'hello\n')], /t\.txt: no dump in it/],
    [
      'less than a header',
      () => [file('tiny', Uint8Array.of(1, 2, 3))],
      /tiny: configuration space of 3 bytes/,
    ],
    ['a file that is not there', () => [join(folder, 'none')], /none/],
    ['a folder', () => [folder], /is a directory/],
    ['a trace that is cut off', () => [file('cut.jsonl', '{"op":')], /cut\.jsonl:1: not JSON/],
  ])('fails with one message for %s', async (_name, argv, message) => {
    const { status, out, err } = await inspect(...argv());
    expect(status).toBe(1);
    expect(out).toBe('');
    expect(err).toHaveLength(1);
    expect(err[0]).toMatch(message);
  });
});
