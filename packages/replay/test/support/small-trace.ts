import type { HwProbe, Trace, TraceMeta, TraceOp } from '@vfiokit/replay';

/** A conventional function with one BAR of 4 KiB, a pin and nothing else, alone in group 7. */
export const META: TraceMeta = {
  op: 'meta',
  format: 1,
  mode: 'std',
  kernel: '7.2.12-test',
  arch: 'x86_64',
  endian: 'little',
  pagesize: 4096,
  fds: {
    null: 10,
    container: 20,
    group: 30,
    device: 40,
    device2: 50,
    eventfd: 100,
    neventfd: 40,
    bad: 900,
  },
  mem: {
    arena: '0x10000000000',
    arena_size: '0x1000000',
    readonly: '0x20000000000',
    readonly_size: '0x10000',
    hole: '0x30000000000',
  },
  modparams: {},
  devices: [
    {
      bdf: '0000:00:03.0',
      vendor: '0x1234',
      device: '0x5678',
      class: '0x00ff00',
      irq: '11',
      power_state: 'D0',
      'power/runtime_status': 'active',
      iommu_group: '7',
      resource: ['0x00000000fea00000 0x00000000fea00fff 0x0000000000040200'],
      cfg_size: 256,
      config: `3412785603000000000000ff00000000${'0000a0fe'}${'00'.repeat(40)}0b010000`,
    },
  ],
  groups: [{ g: 0, id: 7, type: 'DMA', reserved_regions: [], members: ['0000:00:03.0'] }],
  system: [
    {
      bdf: '0000:00:03.0',
      vendor: '0x1234',
      device: '0x5678',
      class: '0x00ff00',
      iommu_group: '7',
    },
  ],
  bridges: [],
  slots: {},
  iommu: [{ name: 'dmar0', cap: '80d2008c222f0606', ecap: 'f00f4a', version: '1:0' }],
  rom: [null],
};

/** How its registers react: COMMAND's low three bits and DisINTx, the BAR, the interrupt line. */
const PROBE: HwProbe = {
  op: 'hwprobe',
  bdf: '0000:00:03.0',
  cfg_size: 256,
  intx_mask_supported: true,
  config: META.devices[0]!.config,
  wmask: `00000000070400000000000000000000${'00f0ffff'}${'00'.repeat(40)}ff`,
  w1c_seen: '',
  sysfs_reset: -25,
};

type Unnumbered<T> = T extends TraceOp ? Omit<T, 'seq'> : never;

/** A trace of these operations on that function. */
export function smallTrace(operations: readonly Unnumbered<TraceOp>[], meta = META): Trace {
  return {
    path: 'small.jsonl',
    meta,
    probes: [PROBE],
    operations: operations.map((op, i) => ({ seq: i + 1, ...op }) as TraceOp),
    unknown: new Map(),
  };
}

/** Binds the function and opens it, as a recorder does. */
export const OPEN: readonly Unnumbered<TraceOp>[] = [
  { op: 'bind', dev: 0, driver: 'vfio-pci', bound: true, ret: 0 },
  { op: 'open', obj: 'c0', ret: 0 },
  { op: 'open', obj: 'g0', group: 7, ret: 0 },
  { op: 'ioctl', obj: 'g0', cmd: 'GROUP_SET_CONTAINER', in: '14000000', ret: 0 },
  { op: 'ioctl', obj: 'c0', cmd: 'SET_IOMMU', arg: 3, ret: 0 },
  { op: 'get_device_fd', obj: 'g0', name: '0000:00:03.0', ret: 40, dev: 0 },
];
