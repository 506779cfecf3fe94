import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { Sysfs } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { LiveSysfs } from '../sysfs/live-sysfs.js';
import { readCapture } from '../sysfs/read-capture.js';
import type { MachineDescription } from './description.js';
import { Machine, type MachineOptions } from './machine.js';
import { readDescription } from './read-description.js';

const FOLDER = new URL('../../machines/', import.meta.url);

/** The machines that come with this package. */
export function shippedMachines(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

/** The description of a machine that comes with this package. @throws VfioError `ENOENT` with those that there are. */
export function shippedMachine(name: string): MachineDescription {
  if (!shippedMachines().includes(name))
    throw new VfioError(
      'ENOENT',
      `${name}: no such machine; there is ${shippedMachines().join(', ')}`,
    );
  const file = new URL(`${name}.yaml`, FOLDER);
  return readDescription(readFileSync(file, 'utf8'), `${name}.yaml`);
}

/** A machine as a command line names it: its files, and the model behind them where there is one. */
export interface OpenedMachine {
  readonly name: string;
  readonly sysfs: Sysfs;
  readonly machine: Machine | undefined;
}

/**
 * Opens what stands behind `--machine`: `live`, the name of a shipped machine, a description's file, a captured directory
 * or archive.
 *
 * @throws VfioError `ENOENT` for what is none of them; what reading it fails with.
 */
export async function openMachine(
  name: string,
  options: MachineOptions = {},
): Promise<OpenedMachine> {
  if (name === 'live') return { name, sysfs: new LiveSysfs(), machine: undefined };
  if (shippedMachines().includes(name) && !existsSync(name))
    return modelled(name, shippedMachine(name), options);
  if (!existsSync(name))
    throw new VfioError(
      'ENOENT',
      `${name}: no such machine or file; name live, a YAML file, a capture, or one of ${shippedMachines().join(', ')}`,
    );
  if (/\.ya?ml$/.test(name) && statSync(name).isFile())
    return modelled(name, readDescription(readFileSync(name, 'utf8'), name), options);
  return { name, sysfs: await readCapture(name), machine: undefined };
}

function modelled(
  name: string,
  description: MachineDescription,
  options: MachineOptions,
): OpenedMachine {
  const machine = new Machine(description, options);
  return { name, sysfs: machine.sysfs, machine };
}
