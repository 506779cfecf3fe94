import type { Variant } from '@vfiokit/core';
import type { MachineOptions } from '@vfiokit/host';
import { VARIANTS } from './composition.js';

/** Packages of drivers by their folders, each loaded when a machine is opened. */
export type VariantTable = Readonly<Record<string, () => Promise<Variant>>>;

/** What modelled machines are built with: everything that each variant brings to a machine of that description. */
export async function machineOptions(variants: VariantTable = VARIANTS): Promise<MachineOptions> {
  const joins = await Promise.all(Object.values(variants).map((load) => load()));
  return {
    register(container, machine) {
      for (const join of joins) join(container, machine);
    },
  };
}
