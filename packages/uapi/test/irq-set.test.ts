import { describe, expect, test } from 'vitest';
import { encodeIrqSet, vfioIrqSet } from '../src/index.js';
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
