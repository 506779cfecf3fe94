import { readFileSync } from 'node:fs';
import { Machine, readDescription } from '@vfiokit/host';
import { toyVariant } from './register.js';

const FILE = new URL('../machine.yaml', import.meta.url);

/** The machine of `machine.yaml`, with the driver on it. */
export function toyMachine(): Machine {
  const description = readDescription(readFileSync(FILE, 'utf8'), 'machine.yaml');
  return new Machine(description, { register: toyVariant });
}
