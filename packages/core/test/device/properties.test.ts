import { EventFd } from '@vfiokit/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Adapter, openAdapter, type Registers, words } from './fixture.js';

const CONFIG = 7;
const REGION = 2 ** 40;
const SET_IRQS = 0x3b6e;
const DEVICE_IOCTLS = [
  0x3b6b, 0x3b6c, 0x3b6d, 0x3b6e, 0x3b6f, 0x3b70, 0x3b71, 0x3b72, 0x3b74, 0x3b75, 0x3b76, 0x3b79,
];
const LARGEST_ERRNO = 4095;

/** One thing that a user does to a device. */
type Operation =
  | {
      readonly kind: 'read' | 'write';
      readonly region: number;
      readonly offset: number;
      readonly size: 1 | 2 | 4;
      readonly value: number;
    }
  | { readonly kind: 'pread' | 'pwrite'; readonly position: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'mmap';
      readonly position: number;
      readonly length: number;
      readonly shared: boolean;
    }
  | { readonly kind: 'ioctl'; readonly command: number; readonly words: readonly number[] };

const interesting = fc.oneof(
  fc.constantFrom(
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    12,
    15,
    16,
    20,
    24,
    28,
    32,
    36,
    64,
    256,
    4096,
    0x7fffffff,
    0x80000000,
    0xffffffff,
  ),
  fc.nat(0xffffffff),
);
const offset = fc.oneof(
  fc.nat(0x100),
  fc.nat(0x1000),
  fc.nat(0x10010),
  fc.constantFrom(REGION - 1, REGION - 4),
);
const region = fc.oneof(fc.nat(9), fc.constantFrom(CONFIG, CONFIG, 0, 4095));

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('read' as const, 'write' as const),
    region,
    offset,
    size: fc.constantFrom(1 as const, 2 as const, 4 as const),
    value: interesting,
  }),
  fc.record({
    kind: fc.constantFrom('pread' as const, 'pwrite' as const),
    position: fc.tuple(region, offset).map(([r, at]) => r * REGION + at),
    bytes: fc.uint8Array({ maxLength: 20 }),
  }),
  fc.record({
    kind: fc.constant('mmap' as const),
    position: fc.tuple(region, offset).map(([r, at]) => r * REGION + at),
    length: fc.nat(0x20000),
    shared: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('ioctl' as const),
    command: fc.constantFrom(...DEVICE_IOCTLS),
    words: fc.array(interesting, { maxLength: 12 }),
  }),
  // Well-formed ones, which random words hardly ever are.
  fc
    .tuple(
      fc.constantFrom(0, 1, 2, 3, 4),
      fc.constantFrom(1, 2, 4),
      fc.constantFrom(8, 16, 32),
      fc.nat(2),
      fc.array(fc.constantFrom(-1, 3, 4, 900), { maxLength: 3 }),
    )
    .map(([index, data, action, start, fds]) => ({
      kind: 'ioctl' as const,
      command: SET_IRQS,
      words: [
        20 + 4 * fds.length,
        data | action,
        index,
        start,
        fds.length,
        ...fds.map((fd) => fd >>> 0),
      ],
    })),
);

/** Capabilities with their flags wherever they fit, or bytes of no meaning at all. */
const registers: fc.Arbitrary<Registers> = fc.array(
  fc.tuple(
    fc.nat(0x3f0).map((dword) => dword * 4 + 0x40),
    fc.constant(4 as const),
    fc.nat(0xffffffff),
  ),
  { maxLength: 8 },
);

function perform({ device, process }: Adapter, op: Operation): number {
  switch (op.kind) {
    case 'read':
      return device.read(op.region, op.offset, op.size);
    case 'write':
      return device.write(op.region, op.offset, op.size, op.value);
    case 'pread':
      return device.pread(op.bytes.slice(), op.position);
    case 'pwrite':
      return device.pwrite(op.bytes, op.position);
    case 'mmap': {
      const mapping = device.mmap(op);
      return typeof mapping === 'number' ? mapping : 0;
    }
    case 'ioctl':
      return device.ioctl(op.command, words(...op.words), process);
  }
}

/**
 * An open device, or undefined for a function whose open fails: its capabilities lead to registers that can't be read as
 * the kernel reads them, or its power state says that it is gone.
 */
function open(config: Registers): Adapter | undefined {
  try {
    const adapter = openAdapter({ config });
    adapter.process.fds.set(3, new EventFd());
    adapter.process.fds.set(4, new EventFd());
    return adapter;
  } catch (error) {
    expect(['EFAULT', 'EIO']).toContain((error as { code?: string }).code);
    return undefined;
  }
}

/** What a failed call must not change. */
function state({ core, pdev }: Adapter) {
  const { opened } = core;
  return {
    hardware: [...pdev.function.config.bytes].join(),
    virtual: [...(opened?.config.vconfig ?? [])].join(),
    power: pdev.currentState,
    lowPower: opened?.lowPower.engaged,
    interrupts: [
      opened?.interrupts.intx.active,
      opened?.interrupts.msi.active,
      opened?.interrupts.msix.active,
    ],
    ioeventfds: opened?.ioEventFds.size,
    migration: core.migration?.state,
  };
}

/** Calls that the kernel itself leaves half done when they fail: transfers (W15) and blocks of vectors (W12). */
const mayBeHalfDone = (op: Operation) =>
  op.kind === 'pwrite' || op.kind === 'write' || (op.kind === 'ioctl' && op.command === SET_IRQS);

describe('whatever a user does to whatever function', () => {
  it('answers with a number and never throws', () => {
    fc.assert(
      fc.property(registers, fc.array(operation, { maxLength: 40 }), (config, operations) => {
        using adapter = open(config);
        if (adapter === undefined) return;
        for (const op of operations) {
          const result = perform(adapter, op);
          expect(Number.isInteger(result)).toBe(true);
          expect(result).toBeGreaterThanOrEqual(-LARGEST_ERRNO);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('changes nothing by a call that fails', () => {
    fc.assert(
      fc.property(registers, fc.array(operation, { maxLength: 25 }), (config, operations) => {
        using adapter = open(config);
        if (adapter === undefined) return;
        for (const op of operations) {
          const before = state(adapter);
          const result = perform(adapter, op);
          if (result < 0 && !mayBeHalfDone(op)) expect(state(adapter)).toEqual(before);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('[core:C1.25] leaves the hardware at the last close as the open found it', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        using adapter = openAdapter();
        const { pdev, core, group, process } = adapter;
        adapter.device.close();
        const closed = hardwareOf(pdev);
        const device = group.getDevice(core.name, process);
        for (const op of operations) perform({ ...adapter, device }, op);
        device.close();
        expect(hardwareOf(pdev)).toEqual(closed);
        expect([core.openCount, core.opened, process.fds.get(900)]).toEqual([
          0,
          undefined,
          undefined,
        ]);
      }),
      { numRuns: 200 },
    );
  });
});

/** Registers that the PCI core saves and restores; raw ones are the user's to spoil, as with the kernel. */
function hardwareOf({ function: silicon }: Adapter['pdev']): string[] {
  const { bytes } = silicon.config;
  return [
    [0x00, 0x40],
    [0x44, 0x46],
    [0x52, 0x54],
    [0x78, 0x7a],
    [0xb2, 0xb4],
  ].map(([from, to]) => [...bytes.subarray(from, to)].map((byte) => byte.toString(16)).join(' '));
}
