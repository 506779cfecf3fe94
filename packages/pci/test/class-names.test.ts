import { describe, expect, test } from 'vitest';
import { baseClassName, capabilityName, className, extendedCapabilityName } from '../src/index.js';

describe('names', () => {
  test.each([
    [0x020000, 'Ethernet controller'],
    [0x030000, 'VGA controller'],
    [0x0108_02, 'Non-volatile memory controller'],
    [0x060400, 'PCI bridge'],
    [0x027f00, 'Network controller'],
    [0x2a0100, 'Class 0x2a01'],
  ])('of class %i', (code, name) => {
    expect(className(code)).toBe(name);
  });

  test('of base classes', () => {
    expect([baseClassName(0x03), baseClassName(0x2a)]).toEqual([
      'Display controller',
      'Class 0x2a',
    ]);
  });

  test('of capabilities', () => {
    expect([capabilityName(0x10), capabilityName(0x15), capabilityName(0x16)]).toEqual([
      'PCI Express',
      'Flattening Portal Bridge',
      'Unknown 0x16',
    ]);
    expect([extendedCapabilityName(0x10), extendedCapabilityName(0x1234)]).toEqual([
      'SR-IOV',
      'Unknown 0x1234',
    ]);
  });
});
