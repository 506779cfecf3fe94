import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { LiveSysfs, readCapture, writeCapture } from '@vfiokit/host';
import { packTar } from 'modern-tar';
import { afterAll, describe, expect, test } from 'vitest';

const HOSTS = new URL('../../../../shared/hosts/', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'vfiokit-capture-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const text = async (answer: Promise<Uint8Array | number>) => {
  const bytes = await answer;
  return typeof bytes === 'number' ? bytes : new TextDecoder().decode(bytes);
};

describe.skipIf(!existsSync(HOSTS))('captures of real machines (shared/hosts is not here)', () => {
  test.each([
    ['laptop-i7-1270p.tar.gz', 23, '0000:00:02.0'],
    ['server-xeon-igbvf.tar.gz', 82, '0000:fe:02.1'],
    ['server-i40e-ve.tar.bz2', 28, '0000:17:00.0'],
    ['pci-domain-32bit.tar.bz2', 9, undefined],
    ['vm-q35-sriov-vfio.tar.gz', 20, '0000:01:10.0'],
  ])('%s has %i functions', async (name, count, device) => {
    const sysfs = await readCapture(join(HOSTS, name));
    const names = await sysfs.list('/sys/bus/pci/devices');
    expect(names).toHaveLength(count);
    if (device !== undefined)
      expect(await text(sysfs.read(`/sys/bus/pci/devices/${device}/vendor`))).toMatch(
        /^0x[0-9a-f]{4}\n$/,
      );
  });

  test('what could not be read is told apart from what is not there', async () => {
    const sysfs = await readCapture(join(HOSTS, 'vm-q35-sriov-vfio.tar.gz'));
    const driver = '/sys/bus/pci/drivers/vfio-pci';
    expect(await sysfs.read(`${driver}/new_id`)).toBe(-13);
    expect(await sysfs.read(`${driver}/old_id`)).toBe(-2);
    expect(await sysfs.readLink('/sys/bus/pci/devices/0000:01:10.0/driver')).toBe(
      '../../../../bus/pci/drivers/vfio-pci',
    );
    expect(await sysfs.write()).toBe(-30);
  });
});

function directory(
  name: string,
  files: Record<string, string>,
  links: Record<string, string> = {},
): string {
  const root = join(scratch, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    symlinkSync(target, join(root, path));
  }
  return root;
}

const DEVICE = '0000:00:02.0';

describe('a capture', () => {
  test.each(['sys/bus', 'folder/sys/bus', 'bus', 'deep/er/bus'])(
    'is found below %s',
    async (bus) => {
      const root = directory(`below-${bus.replaceAll('/', '-')}`, {
        [`${bus}/pci/devices/${DEVICE}/vendor`]: '0x8086\n',
      });
      const sysfs = await readCapture(root);
      expect(await text(sysfs.read(`/sys/bus/pci/devices/${DEVICE}/vendor`))).toBe('0x8086\n');
      expect(await sysfs.list('/')).toContain('sys');
    },
  );

  test('[binding:141] links that are absolute, or lead out of it, open nothing outside', async () => {
    const outside = directory('outside', { secret: 'x' });
    const root = directory(
      'links',
      { [`sys/bus/pci/devices/${DEVICE}/vendor`]: '0x8086\n' },
      {
        [`sys/bus/pci/devices/${DEVICE}/driver`]: '/foreign/sys/bus/pci/drivers/i915',
        [`sys/bus/pci/devices/${DEVICE}/out`]: `../../../../../../outside/secret`,
        [`sys/bus/pci/devices/${DEVICE}/abs`]: join(outside, 'secret'),
        [`sys/bus/pci/devices/${DEVICE}/loop`]: 'loop',
      },
    );
    const sysfs = await readCapture(root);
    const device = `/sys/bus/pci/devices/${DEVICE}`;
    expect(await sysfs.readLink(`${device}/driver`)).toBe('/foreign/sys/bus/pci/drivers/i915');
    expect(await sysfs.read(`${device}/driver`)).toBe(-2);
    expect(await sysfs.read(`${device}/out`)).toBe(-2);
    expect(await sysfs.read(`${device}/abs`)).toBe(-2);
    expect(await sysfs.read(`${device}/loop`)).toBe(-22);
  });

  test('an archive without a PCI bus, or that is no archive, is refused with what would help', async () => {
    const empty = directory('empty', { 'some/file': '' });
    await expect(readCapture(empty)).rejects.toThrow(
      /no PCI bus in it; a capture holds sys\/bus\/pci/,
    );
    const junk = join(scratch, 'junk.tar.gz');
    writeFileSync(junk, 'this is no archive, however long one makes it'.repeat(40));
    await expect(readCapture(junk)).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/neither a description nor a capture; .*\.yaml or \.json/),
    });
    await expect(readCapture(join(scratch, 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('an archive that is cut short anywhere is refused', async () => {
    const body = new TextEncoder().encode('0x8086\n');
    const entries = ['a', 'b', 'c'].map((name) => ({
      header: { name: `sys/bus/pci/devices/${name}`, type: 'file' as const, size: body.length },
      body,
    }));
    const plain = await packTar(entries);
    const whole = gzipSync(plain);
    const file = join(scratch, 'cut.tar.gz');
    for (const share of [0.1, 0.5, 0.9]) {
      writeFileSync(file, whole.subarray(0, Math.floor(whole.length * share)));
      await expect(readCapture(file)).rejects.toThrow(/cut short/);
    }
    writeFileSync(file, plain.subarray(0, 700));
    await expect(readCapture(file)).rejects.toThrow(/cut short/);
    writeFileSync(file, whole);
    expect(await (await readCapture(file)).list('/sys/bus/pci/devices')).toEqual(['a', 'b', 'c']);
  });
});

describe('the running machine', () => {
  test('[binding:142] a tree that is no sysfs is read, not written', async () => {
    const root = directory('copy', { 'sys/bus/pci/drivers_probe': '' });
    const sysfs = new LiveSysfs(root);
    expect(await sysfs.list('/sys/bus/pci')).toEqual(['drivers_probe']);
    expect(await sysfs.write('/sys/bus/pci/drivers_probe', DEVICE)).toBe(-30);
    expect(readFileSync(join(root, 'sys/bus/pci/drivers_probe'), 'utf8')).toBe('');
  });

  test('absence and refusal are errnos', async () => {
    const sysfs = new LiveSysfs('/');
    expect(await sysfs.read('/sys/no-such-file')).toBe(-2);
    expect(await sysfs.list('/proc/self/status')).toBe(-20);
    expect(await sysfs.readLink('/proc/self/status')).toBe(-22);
  });
});

test('a capture has what carries the root and the way to the machine, volumes and bridges and all', async () => {
  const root = join(scratch, 'running');
  const folders = [
    'sys/bus/pci/devices',
    'sys/class/net',
    'sys/devices/virtual/net/br0',
    'sys/devices/virtual/block/dm-0/dm',
    'sys/devices/virtual/block/dm-0/slaves',
    'sys/devices/virtual/block/dm-0/queue',
    'proc/self',
  ];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  symlinkSync('self/mounts', join(root, 'proc/mounts'));
  writeFileSync(join(root, 'proc/self/mounts'), '/dev/mapper/root / ext4 rw 0 0\n');
  symlinkSync('../../devices/virtual/net/br0', join(root, 'sys/class/net/br0'));
  symlinkSync('x', join(root, 'sys/devices/virtual/net/br0/lower_eth0'));
  writeFileSync(join(root, 'sys/devices/virtual/block/dm-0/dm/name'), 'root\n');
  writeFileSync(join(root, 'sys/devices/virtual/block/dm-0/queue/rotational'), '0\n');
  symlinkSync('y', join(root, 'sys/devices/virtual/block/dm-0/slaves/sda'));

  await writeCapture(new LiveSysfs(root), join(scratch, 'running.tar.gz'));
  const sysfs = await readCapture(join(scratch, 'running.tar.gz'));

  expect(await text(sysfs.read('/proc/mounts'))).toBe('/dev/mapper/root / ext4 rw 0 0\n');
  expect(await sysfs.list('/sys/class/net/br0')).toEqual(['lower_eth0']);
  const volume = '/sys/devices/virtual/block/dm-0';
  expect(await text(sysfs.read(`${volume}/dm/name`))).toBe('root\n');
  expect(await sysfs.list(`${volume}/slaves`)).toEqual(['sda']);
  expect(await sysfs.list(`${volume}/queue`)).toBe(-2);
});
