import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reverseArgument } from '../src/trace/byte-order.js';

const unhex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function reversed(command: string, text: string, from: 'big' | 'little' = 'big'): string {
  const bytes = unhex(text);
  reverseArgument(command, bytes, from);
  return hex(bytes);
}

describe('arguments of a big-endian machine', () => {
  test('GROUP_GET_STATUS: two words', () => {
    expect(reversed('GROUP_GET_STATUS', '0000000800000001')).toBe('0800000001000000');
  });

  test('SET_IRQS: the header and the descriptors behind it', () => {
    expect(reversed('SET_IRQS', '00000018000000240000000200000000000000010000006a')).toBe(
      '1800000024000000020000000000000001000000' + '6a000000',
    );
  });

  test('SET_IRQS with truth values: bytes stay', () => {
    expect(reversed('SET_IRQS', '000000160000002200000002000000000000000201ff')).toBe(
      '1600000022000000020000000000000002000000' + '01ff',
    );
  });

  test('GET_REGION_INFO: 64-bit sizes', () => {
    expect(
      reversed(
        'GET_REGION_INFO',
        '0000002000000003000000010000000000000000000010000000010000000000',
      ),
    ).toBe('2000000003000000010000000000000000100000000000000000000000010000');
  });

  test('GET_INFO: the chain of capabilities, as a kernel on s390x gave it', () => {
    const recorded = [
      '00000100 00000083 00000009 00000005 00000018 00000000',
      '0001 0002 00000040 0000000100000000 000000013fffffff 0000 0000 0000 00 ff 80020000 00000000',
    ];
    const expected = [
      '00010000 83000000 09000000 05000000 18000000 00000000',
      '0100 0200 40000000 0000000001000000 ffffff3f01000000 0000 0000 0000 00 ff 00000280 00000000',
    ];
    const packed = (parts: readonly string[]) => parts.join('').replaceAll(' ', '');
    expect(reversed('GET_INFO', packed(recorded))).toBe(packed(expected));
  });

  test('a call that is not known is left alone', () => {
    expect(reversed('TELEPORT', '0102030405060708')).toBe('0102030405060708');
  });

  const COMMANDS = [
    'GROUP_GET_STATUS',
    'GET_INFO',
    'GET_REGION_INFO',
    'GET_IRQ_INFO',
    'SET_IRQS',
    'GET_PCI_HOT_RESET_INFO',
    'PCI_HOT_RESET',
    'IOEVENTFD',
    'FEATURE',
    'IOMMU_GET_INFO',
    'IOMMU_MAP_DMA',
    'IOMMU_UNMAP_DMA',
    'IOMMU_DIRTY_PAGES',
  ];

  test('turning an argument round and back gives it back, whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...COMMANDS),
        fc.uint8Array({ minLength: 64, maxLength: 256 }),
        (command, bytes) => {
          const argument = bytes.slice();
          // A chain that runs into itself can't be followed back; kernels make none.
          for (const at of [12, 16]) argument.fill(0, at, at + 4);
          const before = hex(argument);
          reverseArgument(command, argument, 'big');
          reverseArgument(command, argument, 'little');
          expect(hex(argument)).toBe(before);
        },
      ),
    );
  });
});
