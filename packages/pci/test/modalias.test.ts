import { expect, test } from 'vitest';
import { pciModalias } from '../src/index.js';

test('modalias has ids of eight digits and class bytes of two, in upper case', () => {
  const ids = {
    vendor: 0x8086,
    device: 0x10d3,
    subsystemVendor: 0x1af4,
    subsystemDevice: 0xabcd,
    class: 0x0200fe,
  };
  expect(pciModalias(ids)).toBe('pci:v00008086d000010D3sv00001AF4sd0000ABCDbc02sc00iFE');
});
