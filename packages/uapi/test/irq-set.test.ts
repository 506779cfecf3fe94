import { describe, expect, test, vi } from 'vitest';
import { encodeIrqSet, irqSetDataSize, vfioIrqSet } from '../src/index.js';
import * as module from '../src/irq-set.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioIrqSet, 20, { argsz: 0, flags: 4, index: 8, start: 12, count: 16 });

describeConstants('irq-set.ts', module, {
  VFIO_IRQ_SET_DATA_NONE: 1,
  VFIO_IRQ_SET_DATA_BOOL: 2,
  VFIO_IRQ_SET_DATA_EVENTFD: 4,
  VFIO_IRQ_SET_ACTION_MASK: 8,
  VFIO_IRQ_SET_ACTION_UNMASK: 16,
  VFIO_IRQ_SET_ACTION_TRIGGER: 32,
  VFIO_IRQ_SET_DATA_TYPE_MASK: 7,
  VFIO_IRQ_SET_ACTION_TYPE_MASK: 56,
});

describe('the argument of VFIO_DEVICE_SET_IRQS', () => {
  test('without data is its 20 bytes', () => {
    const argument = encodeIrqSet({ index: 2, action: 'trigger', data: { count: 0 } });
    expect(argument).toEqual(hex('14000000 21000000 02000000 00000000 00000000'));
  });

  test('has a byte for each truth value', () => {
    const data = { bools: [true, false, true] };
    const argument = encodeIrqSet({ index: 0, action: 'mask', start: 1, data });
    expect(argument).toEqual(hex('17000000 0a000000 00000000 01000000 03000000 010001'));
  });

  test('has 4 signed bytes for each descriptor', () => {
    const argument = encodeIrqSet({ index: 1, action: 'unmask', data: { fds: [5, -1] } });
    expect(argument).toEqual(hex('1c000000 14000000 01000000 00000000 02000000 05000000 ffffffff'));
  });
});

describe('the checks that every kind of device makes of VFIO_DEVICE_SET_IRQS', () => {
  const NONE = 0x21;
  const BOOL = 0x22;
  const EVENTFD = 0x24;
  const good = { argsz: 20 + 8, flags: EVENTFD, index: 1, start: 2, count: 2 };

  test.each([
    { data: 'no data', flags: NONE, argsz: 20, size: 0 },
    { data: 'truth values', flags: BOOL, argsz: 22, size: 2 },
    { data: 'descriptors', flags: EVENTFD, argsz: 28, size: 8 },
  ])('count $size bytes of $data for two interrupts', ({ flags, argsz, size }) => {
    expect(irqSetDataSize({ ...good, flags, argsz }, 5, () => 4)).toBe(size);
    if (size > 0)
      expect(irqSetDataSize({ ...good, flags, argsz: argsz - 1 }, 5, () => 4)).toBe(-22);
  });

  test('ask for no index that the device does not have', () => {
    const available = vi.fn(() => 4);
    expect(irqSetDataSize({ ...good, index: 5 }, 5, available)).toBe(-22);
    expect(available).not.toHaveBeenCalled();
  });

  test.each([
    { what: 'interrupts beyond the last', given: { start: 3 } },
    { what: 'a first interrupt that there is not', given: { start: 4, count: 0 } },
    { what: 'a range that wraps', given: { start: 0xffff_fffe } },
    { what: 'a flag that nobody knows', given: { flags: EVENTFD | 0x40 } },
    { what: 'two types of data at once', given: { flags: EVENTFD | BOOL } },
    { what: 'no type of data', given: { flags: 0x20 } },
  ])('refuse $what', ({ given }) => {
    expect(irqSetDataSize({ ...good, ...given }, 5, () => 4)).toBe(-22);
  });
});
