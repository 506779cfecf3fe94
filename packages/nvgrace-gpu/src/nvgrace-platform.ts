import type { PciDevice, RegisterBlock } from '@vfiokit/pci';

/** A device property of the firmware, in bytes. */
export type GpuMemoryProperty = 'nvidia,gpu-mem-base-pa' | 'nvidia,gpu-mem-size';

/** What a Grace machine gives to the driver of its GPUs. */
export interface NvgracePlatform {
  /** A property that ACPI has for a function; undefined without it. */
  property(pdev: PciDevice, name: GpuMemoryProperty): bigint | undefined;
  /** Physical memory; undefined where it can't be mapped. */
  memory(base: bigint, length: number): RegisterBlock | undefined;
  /** Lets time pass; false if the one who waits is being killed. */
  sleep(milliseconds: number): boolean;
  /** Milliseconds. */
  now(): number;
  /** Asks to be told of memory failures in a range; 0 or a negated errno (register_pfn_address_space). */
  registerPages?(base: bigint, length: number): number;
  unregisterPages?(base: bigint, length: number): void;
}
