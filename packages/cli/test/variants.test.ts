import { describe, expect, it } from 'vitest';
import { COMMANDS, VARIANTS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';

const inspect = async (machine: string, device: string, ...more: readonly string[]) => {
  const io = captureIo();
  const status = await run(['--machine', machine, 'inspect', device, ...more], COMMANDS, io);
  return { status, out: io.out.join('\n'), err: io.err };
};

/** Where what a variant brings can be seen: what is shown of a device, and not of it under plain vfio-pci. */
const SHOWN = [
  ['nvgrace-gpu', 'grace', '0009:01:00.0', '4  BAR4    128 GiB  read write mmap'],
  ['mlx', 'x86-server', '0000:17:00.1', 'DMA_LOGGING_START (set)'],
  ['virtio', 'x86-accelerators', '0000:ca:00.1', '0  BAR0    32 bytes'],
  ['variants-more: hisi', 'kunpeng', '0000:75:00.1', '2  BAR2    32 KiB'],
  ['variants-more: hisi', 'kunpeng', '0000:b6:00.1', 'MIG_PRECOPY_INFOv2 (set)'],
  ['variants-more: qat', 'x86-accelerators', '0000:6b:00.1', 'MIG_PRECOPY_INFOv2 (set)'],
  ['variants-more: pds', 'x86-accelerators', '0000:b1:00.1', 'DMA_LOGGING_START (set)'],
  ['variants-more: xe', 'x86-accelerators', '0000:98:00.1', 'MIGRATION (get)'],
  [
    'variants-more: ism',
    's390x-lpar',
    '0002:00:00.0',
    '6  ROM           -              not offered',
  ],
] as const;

/** What is under every driver, or under plain vfio-pci alone. */
const SHOWN_UNDER_VFIO_PCI = [
  ['igd', 'x86-laptop', '0000:00:02.0', 'INTEL_IGD_OPREGION'],
  ['igd', 'x86-laptop', '0000:00:02.0', '0xfc-0xff ASLS'],
  ['nvlink', 'power9', '0004:04:00.0', 'NVIDIA_NVLINK2_RAM'],
  ['nvlink', 'power9', '0006:00:00.1', 'IBM_NVLINK2_ATSD'],
  ['zpci', 's390x-lpar', '0001:00:00.0', 'ZPCI_BASE   v2  DMA 0x100000000-0x1ffffffffffff, pchid '],
] as const;

/** Rows of the packages that are composed: without a package its rows are gone, and nothing breaks. */
const composed = <T extends readonly [string, ...unknown[]]>(rows: readonly T[]) =>
  rows.filter(([name]) => name.split(':')[0]! in VARIANTS);

describe('what variants bring to shipped machines', () => {
  it('can be seen of every package', () => {
    const rows = [...SHOWN, ...SHOWN_UNDER_VFIO_PCI].map(([name]) => name.split(':')[0]);
    expect(Object.keys(VARIANTS).filter((name) => !rows.includes(name))).toEqual([]);
  });

  it.each(composed(SHOWN))('%s: %s shows it at %s: %s', async (_, machine, device, line) => {
    const derived = await inspect(machine, device);
    const plain = await inspect(machine, device, '--driver', 'vfio-pci');
    expect([derived.status, plain.status]).toEqual([0, 0]);
    expect(derived.out).toContain(line);
    expect(plain.out).not.toContain(line);
    expect(plain.err).toEqual([]);
  });

  it.each(composed(SHOWN_UNDER_VFIO_PCI))(
    '%s: %s shows it at %s: %s',
    async (_, machine, device, line) => {
      const { status, out } = await inspect(machine, device, '--driver', 'vfio-pci');
      expect(status).toBe(0);
      expect(out).toContain(line);
    },
  );
});

describe('vfiokit inspect --driver', () => {
  it('says as what a device is shown that no VFIO driver has', async () => {
    const { err } = await inspect('grace', '0009:01:00.0');
    expect(err).toEqual([
      '0009:01:00.0: on nouveau; shown as nvgrace_gpu_vfio_pci would; --driver vfio-pci shows what it is without it',
    ]);
  });

  it('tells why a driver refuses', async () => {
    const { status, err } = await inspect(
      'grace',
      '0000:01:00.0',
      '--driver',
      'nvgrace_gpu_vfio_pci',
    );
    expect(status).toBe(1);
    expect(err.join()).toContain('0000:01:00.0: the GPU does not get ready');
  });

  it('knows which drivers there are', async () => {
    const { status, err } = await inspect('grace', '0009:01:00.0', '--driver', 'acme');
    expect(status).toBe(1);
    expect(err).toEqual(['acme: there is no such VFIO PCI driver']);
  });
});
