// The PCI function around a copier: an express endpoint with four vectors that can be reset on its own. Registers are in BAR0,
// memory that the guest maps in BAR2, MSI-X in BAR4.
import type { FunctionDescription, RegisterBlock } from '@vfiokit/pci';

/** Bytes of the memory. */
export const MEMORY_SIZE = 0x10000;

/** 4 bytes at a time: the header, then power management, MSI-X and express capabilities. */
const CONFIG = [
  [0x00, 0x0c09_1234],
  [0x04, 0x0010_0000],
  [0x08, 0x0580_0001],
  [0x2c, 0x0c09_1234],
  [0x34, 0x40],
  [0x40, 0x0003_50_01],
  [0x50, 0x0003_60_11],
  [0x54, 0x0000_0004],
  [0x58, 0x0000_0804],
  [0x60, 0x0002_00_10],
  [0x64, 0x1000_0000],
] as const;

export function copierFunction(copier: RegisterBlock, memory: RegisterBlock): FunctionDescription {
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  for (const [at, value] of CONFIG) view.setUint32(at, value, true);
  const bar = (size: number, block?: RegisterBlock) =>
    ({ kind: 'memory', size, ...(block && { block }) }) as const;
  const bars = [bar(0x1000, copier), undefined, bar(MEMORY_SIZE, memory), undefined, bar(0x1000)];
  return { config, bars };
}
