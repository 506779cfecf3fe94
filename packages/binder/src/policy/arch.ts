import { GENERIC_DRIVER } from './generic.js';
import { firstOf } from './id-table.js';
import type { SelectionPolicy } from './policy.js';

/**
 * P3: the machine's architecture decides. Historical: what was to be split off by architecture is part of the generic
 * driver today, so where the driver of the architecture is missing the generic one does its work.
 */
export const ARCH: SelectionPolicy = {
  name: 'arch',
  summary: "a driver for the machine's architecture, else vfio-pci",
  choose(input) {
    const architecture = input.host.architecture.value;
    const special =
      architecture === undefined ? undefined : input.knowledge.architectures[architecture];
    const generic = [GENERIC_DRIVER, 'what any architecture has'] as const;
    if (special === undefined)
      return firstOf(
        [generic],
        input,
        `arch: ${architecture ?? 'an unknown architecture'} has no driver of its own`,
      );
    return firstOf(
      [[special, `the driver of ${architecture}`], generic],
      input,
      `arch: ${architecture} asks for ${special}, else vfio-pci`,
      input.host.drivers.has(special)
        ? []
        : [`${special} is missing; in kernels from 5.15 on vfio-pci holds what it was to hold`],
    );
  },
};
