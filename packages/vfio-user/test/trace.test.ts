import { expect, test } from 'vitest';
import { formatMessage } from '../src/index.js';
import { bytes, json, message, u32, u64 } from './peer.js';

test.each([
  [message(1, json('{}\0'), { id: 1 }), '→ 1 VERSION 0.1 {}'],
  [
    message(2, bytes(u32(32, 3), u64(0x1000, 0x10000, 0x2000)), { id: 2 }),
    '→ 2 DMA_MAP flags 0x3 address 0x10000 size 0x2000 offset 0x1000',
  ],
  [message(3, bytes(u32(24, 0), u64(0x10000, 0x2000))), 'DMA_UNMAP flags 0x0 address 0x10000'],
  [
    message(5, bytes(u32(32, 0, 2, 0), u64(0, 0))),
    'DEVICE_GET_REGION_INFO region 2 flags 0x0 size 0x0',
  ],
  [message(7, u32(16, 0, 2, 0)), 'DEVICE_GET_IRQ_INFO index 2 flags 0x0 count 0'],
  [message(8, u32(20, 0x24, 2, 3, 1)), 'DEVICE_SET_IRQS index 2 flags 0x24 start 3 count 1'],
  [
    message(9, bytes(u64(16), u32(0, 4)), { id: 17 }),
    '→ 17 REGION_READ region 0 offset 0x10 count 4',
  ],
  [
    message(10, bytes(u64(16), u32(0, 4), [1, 2, 3, 4]), { flags: 0x10 }),
    'REGION_WRITE posted region 0 offset 0x10 count 4: 01020304',
  ],
  [message(11, u64(0x10000, 8)), 'DMA_READ address 0x10000 count 8'],
  [message(13), 'DEVICE_RESET'],
  [message(15, bytes(u64(0))), 'REGION_WRITE_MULTI writes 0'],
  [message(16, bytes(u32(16, 0x20002), u32(3, 0))), 'DEVICE_FEATURE set MIG_DEVICE_STATE: 03'],
  [message(17, u32(40, 32)), 'MIG_DATA_READ size 32'],
  [message(99, u32(7)), 'command 99 07000000'],
  [message(9, u32(7)), 'REGION_READ 07000000'],
])('a message is a line: %#', (sent, expected) => {
  expect(formatMessage('received', sent, 0)).toContain(expected);
});

test('replies, errors and descriptors are told apart from requests', () => {
  const error = bytes(message(2, new Uint8Array(), { id: 5, flags: 0x21 }));
  new DataView(error.buffer).setUint32(12, 17, true);
  expect(formatMessage('sent', error, 0)).toBe('← 5 DMA_MAP reply EEXIST');
  const info = message(5, bytes(u32(32, 7, 2, 0), u64(0x8000, 0)), { id: 6, flags: 1 });
  expect(formatMessage('sent', info, 1)).toBe(
    '← 6 DEVICE_GET_REGION_INFO reply region 2 flags 0x7 size 0x8000 offset 0x0 (1 descriptor)',
  );
});
