import type { PciDevice, RegisterBlock } from '@vfiokit/pci';
import type { IsmInstructions } from './ism-platform.js';

/** Bytes of the longest store block that firmware carries out. */
const MAXSTBL = 4096;

/** PCI instructions that reach what the function has behind its BARs, whether it decodes them or not. */
export function ismMemory({ function: silicon }: PciDevice): IsmInstructions {
  const blockOf = (bar: number): RegisterBlock => silicon.bars[bar]!.block;
  return {
    maxstbl: MAXSTBL,
    load(bar, offset, size, into) {
      const step = Math.min(size, 4) as 1 | 2 | 4;
      for (let done = 0; done < size; done += step) {
        const value = blockOf(bar).read(offset + done, step);
        for (let i = 0; i < step; i += 1) into[done + i] = value >>> (8 * i);
      }
      return 0;
    },
    storeBlock(bar, offset, from) {
      for (const [i, byte] of from.entries()) blockOf(bar).write(offset + i, 1, byte);
      return 0;
    },
  };
}
