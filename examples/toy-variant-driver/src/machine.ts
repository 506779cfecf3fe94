import { readFileSync } from 'node:fs';
import { Machine, readDescription } from '@vfiokit/host';
import { toyVariant } from './register.js';

const FILE = new URL('../machine.yaml', import.meta.url);

/** Where `machine.yaml` has a function of toy. */
export const AT = '0000:01:00.0';

/**
 * The machine of `machine.yaml`, with the driver on it.
 *
 * @param override which driver has the functions that are `toy_vfio_pci`'s by the file.
 */
export function toyMachine(override?: string): Machine {
  const description = readDescription(readFileSync(FILE, 'utf8'), 'machine.yaml');
  const functions = description.functions.map((spec) =>
    override === undefined || spec.override === undefined ? spec : { ...spec, override },
  );
  return new Machine({ ...description, functions }, { register: toyVariant });
}
