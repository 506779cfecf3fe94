import { nearest } from '@vfiokit/binder';
import type { Variant } from '@vfiokit/core';
import {
  type MachineDescription,
  type MachineOptions,
  type OpenedMachine,
  openMachine,
} from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { authoredVariant } from './authored-variant.js';
import type { MachineChoice } from './command.js';
import { VARIANTS } from './composition.js';

/** Packages of drivers by their folders, each loaded when a machine is opened. */
export type VariantTable = Readonly<Record<string, () => Promise<Variant>>>;

/** Opens the machine that a command line means. @throws VfioError for a machine or a variant that can't be read. */
export async function openChosen({ name, variants }: MachineChoice): Promise<OpenedMachine> {
  return openMachine(name, await machineOptions(variants));
}

/**
 * What modelled machines are built with: everything that each variant brings to a machine of that description.
 * Putting a machine together throws VfioError EINVAL for tables of firmware that say what they can't say.
 *
 * @param authored modules of others, as {@link authoredVariant} finds them.
 */
export async function machineOptions(
  authored: readonly string[] = [],
  variants: VariantTable = VARIANTS,
): Promise<MachineOptions> {
  const joins = await Promise.all([
    ...Object.values(variants).map((load) => load()),
    ...[...new Set(authored)].map((module) => authoredVariant(module)),
  ]);
  return {
    register(container, machine) {
      const asked = new Set<string>();
      const firmware = new Proxy(machine.firmware, {
        get(tables, name) {
          asked.add(String(name));
          return Reflect.get(tables, name);
        },
      });
      for (const join of joins) join(container, { ...machine, firmware });
      refuseMisspelt(machine, asked);
    },
  };
}

/** Shorter names are near to too many others. */
const SHORTEST = 5;

/** A table that nobody asks for is no mistake, unless it is called nearly as one that somebody does. */
function refuseMisspelt({ name, firmware }: MachineDescription, asked: ReadonlySet<string>): void {
  for (const table of Object.keys(firmware)) {
    const strange = table.length >= SHORTEST && !asked.has(table);
    const [near] = strange ? nearest(table, [...asked]) : [];
    if (near !== undefined)
      throw new VfioError(
        'EINVAL',
        `${name}: firmware.${table}: nobody reads it; did you mean ${near}?`,
      );
  }
}
