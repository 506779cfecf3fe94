import { mkdtempSync, writeFileSync } from 'node:fs';
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
