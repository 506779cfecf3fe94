import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS, captureIo, run } from 'vfiokit';
import { describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'vfiokit-inspect-machine-'));

const VM = join(folder, 'vm.yaml');
writeFileSync(
  VM,
  `name: vm
architecture: x86_64
kernel: 7.2.12
functions:
  - { at: "0000:01:00.0", ids: "8086:10d3", class: "020000", group: 10, bars: [128K, 32 io], msix: 5, override: vfio-pci }
vfio: { loaded: [vfio-pci] }
`,
);

async function vfiokit(
  ...argv: readonly string[]
): Promise<{ status: number; out: string; err: readonly string[] }> {
  const io = captureIo();
  const status = await run(argv, COMMANDS, io);
  return { status, out: io.out.join('\n'), err: io.err };
}

async function inspected(machine: string, device: string): Promise<Record<string, unknown>> {
  return JSON.parse((await vfiokit('--machine', machine, 'inspect', device, '--json')).out);
}

/** The x86-server without the model behind it. */
async function captured(): Promise<string> {
  const archive = join(folder, 'server.tar.gz');
  await vfiokit('--machine', 'x86-server', 'capture', archive);
  return archive;
}

describe('vfiokit inspect shows a device beside plain vfio-pci', () => {
  const brings = async (machine: string, device: string) =>
    (await inspected(machine, device)).brings;

  test.each([
    [
      'a region that an extension adds',
      'power9',
      '0006:00:00.0',
      [
        {
          what: 'region 9',
          here: '64 KiB, read write mmap, IBM_NVLINK2_ATSD, NVLINK2_SSATGT 0x800000000, NVLINK2_LNKSPD 9',
        },
      ],
    ],
    [
      'a register that reads otherwise',
      'x86-laptop',
      '0000:00:02.0',
      [{ what: 'config 0xfc', plain: '00 00 00 6f, writable', here: '00 20 00 6f, writable' }],
    ],
    [
      'what a driver takes away',
      's390x-lpar',
      '0002:00:00.0',
      [{ what: 'feature', plain: 'DMA_BUF (get)' }],
    ],
  ])('%s', async (_name, machine, device, differences) => {
    expect(await brings(machine, device)).toEqual(expect.arrayContaining<unknown>(differences));
  });

  test('nothing, where nothing is added', async () => {
    expect(await brings('x86-server', '0000:81:00.0')).toEqual([]);
    expect((await vfiokit('--machine', 'x86-server', 'inspect', '0000:81:00.0')).out).not.toContain(
      'beside',
    );
  });

  test('in two columns', async () => {
    const { out } = await vfiokit('--machine', 'x86-server', 'inspect', '0000:17:00.1');
    expect(out).toMatch(/^beside plain vfio-pci\n +plain +mlx5_vfio_pci$/m);
    expect(out).toMatch(/^ {2}feature +- +MIGRATION \(get\)$/m);
  });
});

describe('vfiokit inspect of a file', () => {
  test('names the function that a config file of sysfs lies with', async () => {
    const at = join(folder, '0000:3b:00.1');
    mkdirSync(at);
    writeFileSync(join(at, 'config'), Uint8Array.of(0x34, 0x12, 0xff, 0xff, ...Array(60).fill(0)));
    expect((await vfiokit('inspect', join(at, 'config'))).out).toMatch(/^0000:3b:00\.1 /);
  });

  test('says what to name instead of a file that is not there', async () => {
    const { status, err } = await vfiokit('inspect', join(folder, 'none'));
    expect(status).toBe(1);
    expect(err).toEqual([expect.stringMatching(/none: no such file; name a device, a trace, /)]);
  });
});

describe('vfiokit inspect of a device of a machine', () => {
  test('opens what a VFIO driver has, without remarks', async () => {
    const { status, out, err } = await vfiokit('--machine', VM, 'inspect', '01:00.0');
    expect(status).toBe(0);
    expect(out).toMatch(/^driver vfio-pci, IOMMU group 10, /m);
    expect(out).toMatch(/^ {2}2 {2}MSI-X {2}5 {2}eventfd$/m);
    expect(err).toEqual([]);
  });

  test('says what has a device that no VFIO driver has', async () => {
    const { err, out } = await vfiokit('--machine', 'x86-server', 'inspect', '0000:81:00.0');
    expect(err).toEqual(['0000:81:00.0: on nvme; shown as vfio-pci would']);
    expect(out).toMatch(/^driver vfio-pci, IOMMU group 23, /m);
  });

  test('knows when there is no IOMMU group', async () => {
    const { out } = await vfiokit('--machine', 'testbed', 'inspect', '0000:05:00.0');
    expect(out).toMatch(/^driver vfio-pci, no IOMMU group, /m);
  });

  test.each(['0000:81:00.0', '0000:17:00.1'])(
    'sees in a capture of a machine what it sees in the machine: %s',
    async (device) => {
      const archive = await captured();
      const fromFiles = await inspected(archive, device);
      const model = await inspected('x86-server', device);
      const { vendor, regions, interrupts, capabilities, group } = model;
      expect(fromFiles).toMatchObject({ vendor, regions, interrupts, capabilities, group });
    },
  );

  test.each([
    ['a bridge', 'testbed', '0000:00:01.0', /a bridge can't be handed to a user/],
    ['a PF with VFs', 'x86-server', '0000:3b:00.0', /0000:3b:00\.0: has VFs/],
    ['a device that is not there', 'testbed', '0000:01:00.7', /no such device; did you mean/],
    ['a machine that is not there', 'tesbed', '0000:01:00.0', /tesbed: no such machine/],
  ])('fails with one message for %s', async (_name, machine, device, message) => {
    const { status, out, err } = await vfiokit('--machine', machine, 'inspect', device);
    expect(status).toBe(1);
    expect(out).toBe('');
    expect(err).toEqual([expect.stringMatching(message)]);
  });
});
