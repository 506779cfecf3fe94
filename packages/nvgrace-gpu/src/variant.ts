import { COLUMN, firmwareTable, SILICON, type Variant } from '@vfiokit/core';
import { allOnes, type BarDescription, MemoryBlock, type RegisterBlock } from '@vfiokit/pci';
import type { NvgracePlatform } from './nvgrace-platform.js';
import { C2C_LINK_STATUS, HBM_TRAINING_STATUS, STATUS_READY } from './readiness.js';
import { registerNvgraceGpu } from './register.js';

/** Where the GPU's memory is in the machine, and how much. */
const COLUMNS = { base: COLUMN.address, size: COLUMN.size } as const;

/**
 * Joins every machine with the driver, and those whose firmware names the memory of GPUs with that:
 * `firmware: { graceMemory: { "0009:01:00.0": { base: "0x400000000000", size: "96G" } } }`. Such a GPU is ready at once.
 */
export const nvgraceGpuVariant: Variant = (host, machine) => {
  const gpus = firmwareTable(machine, 'graceMemory', COLUMNS);
  const memory = new Map<bigint, MemoryBlock>();
  let now = 0;
  const platform: NvgracePlatform = {
    property: ({ name }, property) =>
      gpus?.get(name)?.[property === 'nvidia,gpu-mem-size' ? 'size' : 'base'],
    memory(base, length) {
      const block = memory.get(base) ?? new MemoryBlock(length);
      memory.set(base, block);
      return block;
    },
    // Time goes by only for those who wait.
    sleep(milliseconds) {
      now += milliseconds;
      return true;
    },
    now: () => now,
  };
  registerNvgraceGpu(host, { platform });
  host.register(SILICON, {
    useValue: {
      describe(name, description) {
        const [bar0, ...rest] = description.bars ?? [];
        if (!gpus?.has(name) || bar0 === undefined) return description;
        const ready: BarDescription = { ...bar0, block: new ReadyRegisters() };
        return { ...description, bars: [ready, ...rest] };
      },
    },
  });
};

/** BAR 0 of a GPU whose link and memory are trained. Everything else in it is an open bus. */
class ReadyRegisters implements RegisterBlock {
  read(offset: number, size: 1 | 2 | 4): number {
    const register = offset - (offset % 4);
    if (register !== C2C_LINK_STATUS && register !== HBM_TRAINING_STATUS) return allOnes(size);
    return offset === register ? STATUS_READY : 0;
  }

  write(): void {}
}
