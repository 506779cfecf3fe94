import { expect, test } from 'vitest';
import { pciAlias, pciModalias } from '../src/index.js';

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

test('[core:C9.7] the alias of an override-only entry has a prefix of its own and stars for what does not matter', () => {
  const alias = (entry: object) => pciAlias({ ...entry, overrideOnly: true });
  expect(alias({})).toBe('vfio_pci:v*d*sv*sd*bc*sc*i*');
  expect(alias({ vendor: 0x15b3, device: 0x101e })).toBe(
    'vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*',
  );
});

test('an ordinary entry is advertised under pci:, with a star behind a last field that is fixed', () => {
  expect(pciAlias({ class: 0x0c0330, classMask: 0xffffff })).toBe('pci:v*d*sv*sd*bc0Csc03i30*');
  expect(pciAlias({ class: 0x030000, classMask: 0xffff00 })).toBe('pci:v*d*sv*sd*bc03sc00i*');
});

test('a mask that cuts through a byte of the class can be said by no alias', () => {
  expect(pciAlias({ class: 0x030000, classMask: 0xf00000 })).toBeUndefined();
});
