import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/composition.js';
import { captureIo } from '../../src/io.js';
import { run } from '../../src/run.js';

const HOSTS = new URL('../../../../../shared/hosts/', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'vfiokit-cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function vfiokit(...argv: string[]) {
  const io = captureIo();
  const status = await run(argv, COMMANDS, io);
  return { status, out: io.out.join('\n'), err: io.err.join('\n') };
}

const server = (...argv: string[]) => vfiokit('--machine', 'x86-server', ...argv);

describe('show', () => {
  test('draws the machine as a tree, bridges above what is behind them', async () => {
    const { status, out } = await server('show', '--ascii');
    expect(status).toBe(0);
    expect(out).toContain('x86-server: Linux 7.2.12, x86_64, 17 functions');
    expect(out).toMatch(
      /0000:00:01\.0 8086:352a PCI bridge \[pcieport].*\n.*\|-- 0000:17:00\.0 15b3:101d/,
    );
    expect(out).toContain('VF of 0000:17:00.0');
  });

  test('shows one function with the file of each fact', async () => {
    const { out } = await server('show', '17:00.0');
    expect(out).toMatch(/driver +mlx5_core +\/sys\/bus\/pci\/devices\/0000:17:00\.0\/driver/);
    expect(out).toContain('VFs       4 of 8');
    expect((await server('show', '17:00.1')).out).toMatch(/^ {2}VFs +none /m);
  });

  test('as a document: what is unknown is absent, what is none is null', async () => {
    const { out } = await server('show', '--json');
    const { devices } = JSON.parse(out);
    expect(devices[0]).toMatchObject({
      address: '0000:00:00.0',
      driver: null,
      override: null,
      className: 'Host bridge',
    });
  });

  test('draws a picture', async () => {
    const file = join(scratch, 'groups.svg');
    expect((await server('show', '--svg', file)).status).toBe(0);
    expect(readFileSync(file, 'utf8')).toMatch(/^<svg .*group 22: not viable/s);
  });

  test('writes a tree of files that lspci reads', async (context) => {
    const folder = join(scratch, 'sys');
    expect((await server('show', '--export', folder)).status).toBe(0);
    expect(readFileSync(join(folder, 'bus/pci/devices/0000:17:00.0/vendor'), 'utf8')).toBe(
      '0x15b3\n',
    );
    const { stdout, error } = spawnSync('lspci', ['-O', `sysfs.path=${folder}/bus/pci`, '-n'], {
      encoding: 'utf8',
    });
    if (error !== undefined) return context.skip('lspci is not installed');
    expect(stdout).toMatch(/^17:00\.0 0200: 15b3:101d$/m);
    expect(stdout.trim().split('\n')).toHaveLength(17);
  });
});

describe('plan', () => {
  test('shows its options on a narrow terminal, further lines under the first', async () => {
    const io = captureIo(60);
    await run(['plan', '--help'], COMMANDS, io);
    const lines = io.out.slice(0, io.out.indexOf('EXAMPLES'));
    expect(lines.filter((line) => line.length > 60)).toEqual([]);
    expect(lines.join('\n')).toMatch(/^ +--policy=<P> {4}How to choose: .*\n {22}[a-z]/m);
    expect(lines.join('\n')).not.toContain('\n\n\n');
  });

  test('answers in its first line, and tells why', async () => {
    const { status, out } = await server('plan', '0000:17:00.1');
    expect(status).toBe(0);
    expect(out.split('\n').slice(0, 2)).toEqual([
      '0000:17:00.1 → mlx5_vfio_pci',
      '  because  alias-best-match: mlx5_vfio_pci has the narrowest alias, 5 of 7 fields open',
    ]);
  });

  test('says no with status 1 and what would help', async () => {
    const { status, out } = await server('plan', '0000:65:00.0');
    expect(status).toBe(1);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('say --group to take the whole group');
  });

  test('lays policies side by side', async () => {
    const { out } = await server('plan', '0000:17:00.1', '--compare');
    expect(out).toMatch(/generic +vfio-pci +bind/);
    expect(out).toMatch(/alias-best-match +mlx5_vfio_pci +bind/);
  });

  test('tells how a kernel upgrade changes the decision', async () => {
    const before = join(scratch, 'old.alias');
    const after = join(scratch, 'new.alias');
    writeFileSync(before, '#\nalias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n');
    writeFileSync(
      after,
      '#\nalias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\nalias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n',
    );
    const { out, status } = await server(
      'plan',
      '0000:17:00.1',
      '--kernel',
      before,
      '--kernel',
      after,
    );
    expect(status).toBe(0);
    expect(out).toContain('vfio-pci with the old kernel, mlx5_vfio_pci with the new one');
    expect((await server('plan', '0000:17:00.1', '--kernel', before)).status).toBe(2);
  });

  test.each([
    ['libvirt', "model='mlx5_vfio_pci'"],
    ['driverctl', 'driverctl set-override 0000:17:00.1 mlx5_vfio_pci'],
    ['cdi', '"path": "/dev/vfio/6"'],
    ['kubevirt', 'pciVendorSelector: "15B3:101E"'],
  ])('speaks the words of %s', async (tool, words) => {
    expect((await server('plan', '0000:17:00.1', '--emit', tool)).out).toContain(words);
  });

  test('names libvirt the driver wherever libvirt would choose another by itself', async () => {
    const emitted = async (...words: string[]) =>
      (await server('plan', ...words, '--emit', 'libvirt')).out;
    expect(await emitted('0000:17:00.1', '--policy', 'generic')).toContain(
      "<driver name='vfio' model='vfio-pci'/>",
    );
    expect(await emitted('0000:3b:10.0')).toContain("<driver name='vfio'/>");
  });

  test('tells KubeVirt which devices its own plugin would not find', async () => {
    const { out } = await server('plan', '0000:17:00.1', '0000:3b:10.0', '--emit', 'kubevirt');
    const [variant, plain] = out.split('- pciVendorSelector').slice(1);
    expect(variant).toContain('externalResourceProvider: true');
    expect(plain).not.toContain('externalResourceProvider');
  });

  test('of a tool, a policy, a device that is not there it says what there is', async () => {
    expect((await server('plan', '0000:17:00.1', '--emit', 'libvrt')).err).toContain(
      'there is libvirt',
    );
    expect((await server('plan', '0000:17:00.1', '--policy', 'chian')).err).toContain(
      'there is chain',
    );
    expect((await server('plan', '0000:17:00.7')).err).toContain('did you mean 0000:17:00');
    expect(
      (await vfiokit('--machine', join(scratch, 'no.tar.gz'), 'plan', '0000:00:00.0')).err,
    ).toContain('no such machine');
  });

  test.each([
    [['--policy', 'chian'], '--policy chian: no such policy; there is chain'],
    [['--policy', 'xyz'], '--policy xyz: no such policy; there is generic, id-table,'],
    [['--feature', 'migraton'], '--feature migraton: no such feature; there is migration'],
    [['--emit', 'xml'], '--emit xml: no such tool; there is libvirt, driverctl, cdi, kubevirt'],
    [['--driver', 'a', '--chain', 'b'], '--driver and --chain: each means another policy;'],
    [['--policy', 'generic', '--feature', 'p2p'], '--feature: is for --policy capability;'],
    [['--emit', 'cdi', '--compare'], 'plan: --emit and --compare exclude each other'],
    [['--aliases', 'a', '--kernel', 'b', '--kernel', 'c'], 'plan: --aliases and --kernel exclude'],
  ])('what can’t be meant exits with 2: %j', async (words, message) => {
    const { status, out, err } = await server('plan', '0000:17:00.1', ...words);
    expect([status, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  test('every policy may be given what it asks for when they are compared', async () => {
    const { status, out } = await server(
      ...['plan', '0000:17:00.1', '--compare', '--driver', 'vfio-pci', '--feature', 'migration'],
    );
    expect(status).toBe(0);
    expect(out).toMatch(/user-override +vfio-pci +bind/);
    expect(out).toMatch(/capability +mlx5_vfio_pci +bind +mlx5_vfio_pci has migration/);
  });

  test.each([
    ['--aliases', 'no.alias', 'no such file or folder'],
    ['--aliases', '.', 'is a directory; name a file'],
    ['--aliases', 'text', 'no module index; name a modules.alias'],
    ['--aliases', 'empty', 'no module index; name a modules.alias'],
    ['--aliases', 'damaged.gz', 'not a whole gzip file; was it cut short?'],
    ['--pinned', 'no.json', 'no such file or folder'],
    ['--pinned', 'text', 'not a decision; name a file that plan --json printed for one device'],
    ['--pinned', 'null.json', 'not a decision; name a file that plan --json printed'],
    ['--pinned', 'array.json', 'not a decision; name a file that plan --json printed'],
  ])('%s %s is told by its name', async (option, name, message) => {
    const texts: Readonly<Record<string, string>> = {
      text: 'hello\n',
      empty: '',
      'damaged.gz': '\x1f\x8b\0',
      'null.json': 'null',
      'array.json': '[{}]',
    };
    const file = join(scratch, name);
    if (texts[name] !== undefined) writeFileSync(file, texts[name], 'latin1');
    const { status, err } = await server('plan', '0000:17:00.1', option, file);
    expect([status, err.startsWith(`${file}: ${message}`)]).toEqual([1, true]);
  });

  test('decides as it did before, while nothing has changed', async () => {
    const file = join(scratch, 'decision.json');
    const vf = '0000:17:00.1';
    writeFileSync(file, (await server('plan', vf, '--json')).out);
    const again = await server('plan', vf, '--pinned', file);
    expect(again.out).toContain('pinned: nothing has changed since the decision');
    const other = await server('plan', '0000:3b:10.0', '--pinned', file);
    expect([other.status, other.out.replaceAll(/\s+/g, ' ')]).toEqual([
      1,
      expect.stringContaining('another device'),
    ]);
    expect((await server('plan', vf, '--pinned', join(scratch, 'new.alias'))).err).toContain(
      'name a file that plan --json printed',
    );
  });

  test('asked for a feature, looks for a driver that has it', async () => {
    const { status, out } = await server('plan', '0000:17:00.1', '--feature', 'migration,p2p');
    expect([status, out]).toEqual([0, expect.stringContaining('has migration, p2p')]);
    const lacking = await server('plan', '0000:3b:10.0', '--feature', 'migration');
    expect([lacking.status, lacking.out]).toEqual([
      1,
      expect.stringContaining('no driver for 8086:10ca is known'),
    ]);
    expect((await server('plan', '0000:3b:10.0', '--feature', 'migraton')).err).toContain(
      'there is migration',
    );
  });

  test('gives libvirt every device of a group that is to be bound', async () => {
    const { out } = await server('plan', '0000:65:00.0', '--group', '--emit', 'libvirt');
    expect(out.match(/function='0x\d'/g)).toEqual(["function='0x0'", "function='0x1'"]);
  });

  test('is one document with --json', async () => {
    const { out } = await server('plan', '0000:17:00.1', '--json');
    expect(JSON.parse(out)).toMatchObject({
      version: 1,
      outcome: 'bind',
      chosen: { driver: 'mlx5_vfio_pci' },
    });
  });
});

describe('bind and what goes with it', () => {
  test('of a refusal on a model says what the driver had to say to it, once', async () => {
    const file = join(scratch, 'denied.yaml');
    const fn = 'at: "0000:01:00.0", ids: "8086:0435", class: "0b4000", group: 0';
    const vfio = 'vfio: { loaded: [vfio-pci] }';
    writeFileSync(
      file,
      `name: denied\narchitecture: x86_64\nkernel: 7.2.12\nfunctions: [{ ${fn} }]\n${vfio}\n`,
    );
    const { status, err } = await vfiokit('--machine', file, 'bind', '0000:01:00.0');
    expect(status).toBe(1);
    expect(err.split('\n')).toEqual([
      "0000:01:00.0: can't be bound to vfio-pci: the driver's own probe refuses (EINVAL)",
      '0000:01:00.0: on the denylist of vfio-pci; the parameter disable_denylist overrules it',
    ]);
  });

  test('binds a whole group of a modelled machine', async () => {
    const { status, out } = await server('bind', '0000:65:00.0', '--group');
    expect(status).toBe(0);
    expect(out).toMatch(/0000:65:00\.0 → vfio-pci\n0000:65:00\.1 → vfio-pci\n.*: done/);
  });

  test('tells of what a plan would have warned', async () => {
    const file = join(scratch, 'modules.alias-6.1.0');
    writeFileSync(file, '#\nalias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n');
    const { status, err } = await server('bind', '0000:17:00.1', '--aliases', file);
    expect([status, err]).toEqual([
      0,
      '0000:17:00.1: the module index is that of 6.1.0, and the machine runs 7.2.12',
    ]);
  });

  test('shows what it would write, and refuses what is guarded', async () => {
    expect((await server('bind', '0000:17:00.1', '--dry-run')).out).toContain(
      '1. modprobe -b mlx5_vfio_pci',
    );
    expect((await server('bind', '0000:17:00.1', '--dry-run')).out).toContain(
      '2. "mlx5_vfio_pci" > devices/0000:17:00.1/driver_override  undo: "\\n"',
    );
    const { status, err } = await server('bind', '0000:81:00.0');
    expect([status, err]).toEqual([
      1,
      '0000:81:00.0: carries the root file system; say --force to do it all the same',
    ]);
  });

  test('rolls back what turns out not to be a VFIO driver', async () => {
    const { status, err } = await server('bind', '0000:17:00.1', '--driver', 'pci-stub');
    expect(status).toBe(1);
    expect(err).toContain('pci-stub provides no VFIO device');
  });

  test('goes down a chain', async () => {
    const { status, out } = await server(
      'bind',
      '0000:3b:10.0',
      '--policy',
      'chain',
      '--chain',
      'pci-stub,vfio-pci',
    );
    expect(status).toBe(0);
    expect(out).toContain('done');
  });

  test('unbind on a model of a capture frees a device and leaves the capture alone', async () => {
    const machine = ['--machine', 'vm-q35-sriov-vfio'];
    const { status, out } = await vfiokit(...machine, 'unbind', '0000:01:10.0', '--simulate');
    expect(status).toBe(0);
    expect(out).toMatch(/0000:01:10\.0: unbound.*\n.*: done\non a model of vm-q35-sriov-vfio/);
    const refused = await vfiokit(...machine, 'unbind', '0000:01:10.0');
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toMatch(/^vm-q35-sriov-vfio: a capture has no kernel behind it/);
  });

  test('restore and status have nothing to do on a machine that has just begun', async () => {
    expect((await server('restore')).out).toBe('nothing to restore');
    expect((await server('status')).out).toContain('no device is on a VFIO driver');
    expect((await server('unbind', '0000:17:00.1')).status).toBe(0);
  });

  test('capture writes an archive that is a machine', async () => {
    const file = join(scratch, 'server.tar.gz');
    expect((await server('capture', file)).out).toMatch(/files, .* links, .* could not be read/);
    expect(await server('capture', file)).toMatchObject({
      status: 1,
      err: `${file}: exists already; say --force to write over it, or choose another name`,
    });
    expect((await server('capture', file, '--force')).status).toBe(0);
    expect(await server('capture', join(scratch, 'server.zip'))).toMatchObject({ status: 2 });
    expect(existsSync(join(scratch, 'server.zip'))).toBe(false);
    const { out } = await vfiokit('--machine', file, 'plan', '0000:17:00.1', '--json');
    expect(JSON.parse(out)).toMatchObject({ outcome: 'bind', chosen: { driver: 'mlx5_vfio_pci' } });
    expect((await vfiokit('--machine', file, 'bind', '0000:17:00.1')).err).toContain(
      `${file}: a capture has no kernel behind it; say --simulate`,
    );
  });
});

describe.skipIf(!existsSync(HOSTS))('captures of real machines (shared/hosts is not here)', () => {
  test('a laptop’s graphics, from a capture without an index', async () => {
    const { status, out } = await vfiokit(
      '--machine',
      `${HOSTS}laptop-i7-1270p.tar.gz`,
      'plan',
      '0000:00:02.0',
    );
    expect(status).toBe(0);
    expect(out).toContain('0000:00:02.0 → vfio-pci');
    expect(out).toContain('there is no module index, so the default is taken');
  });

  test('a capture is bound on its model, if that is what is asked for', async () => {
    const { status, out } = await vfiokit(
      '--machine',
      `${HOSTS}vm-q35-sriov-vfio.tar.gz`,
      'bind',
      '0000:00:02.0',
      '--group',
      '--simulate',
    );
    expect(status).toBe(0);
    expect(out).toMatch(/0000:00:02\.0 → vfio-pci\n0000:00:02\.1 → vfio-pci\n.*: done/);
  });

  test('a machine with a 32-bit domain is shown whole', async () => {
    const { out } = await vfiokit('--machine', `${HOSTS}pci-domain-32bit.tar.bz2`, 'show');
    expect(out.match(/\d{4,5}:00:\d\d\.\d/g)).toHaveLength(9);
  });
});
