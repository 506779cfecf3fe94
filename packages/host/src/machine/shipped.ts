import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Sysfs } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { LiveSysfs } from '../sysfs/live-sysfs.js';
import { readCapture } from '../sysfs/read-capture.js';
import { fileError } from '../sysfs/system-errno.js';
import type { MachineDescription } from './description.js';
import { Machine, type MachineOptions } from './machine.js';
import { readDescription } from './read-description.js';

const FOLDER = new URL('../../machines/', import.meta.url);

const DESCRIPTION = '.yaml';
const CAPTURE = '.tar.gz';

/** The machines that come with this package, described ones and captured ones. */
export function shippedMachines(): readonly string[] {
  return [...namesWith(DESCRIPTION), ...namesWith(CAPTURE)].sort();
}

/** Those that are described: they are models, on which things can be done. */
export function describedMachines(): readonly string[] {
  return namesWith(DESCRIPTION);
}

function namesWith(ending: string): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));
}

/** The description of a machine that comes with this package. @throws VfioError `ENOENT` with those that there are. */
export function shippedMachine(name: string): MachineDescription {
  if (!describedMachines().includes(name))
    throw new VfioError(
      'ENOENT',
      `${name}: no such machine; there is ${describedMachines().join(', ')}`,
    );
  const file = new URL(`${name}${DESCRIPTION}`, FOLDER);
  return readDescription(readFileSync(file, 'utf8'), `${name}.yaml`);
}

/** A machine as a command line names it: its files, and the model behind them where there is one. */
export interface OpenedMachine {
  readonly name: string;
  readonly sysfs: Sysfs;
  readonly machine: Machine | undefined;
}

/**
 * Opens what stands behind `--machine`: `live`, the name of a shipped machine, the file of a description (`.yaml`, `.json`), a
 * captured directory or archive.
 *
 * @throws VfioError `ENOENT` for what is none of them; what reading it fails with.
 */
export async function openMachine(
  name: string,
  options: MachineOptions = {},
): Promise<OpenedMachine> {
  if (name === 'live') return { name, sysfs: new LiveSysfs(), machine: undefined };
  if (!existsSync(name)) {
    if (describedMachines().includes(name)) return modelled(name, shippedMachine(name), options);
    if (shippedMachines().includes(name)) {
      const file = fileURLToPath(new URL(`${name}${CAPTURE}`, FOLDER));
      return { name, sysfs: await readCapture(file), machine: undefined };
    }
  }
  if (!existsSync(name))
    throw new VfioError(
      'ENOENT',
      `${name}: no such machine or file; name live, a description's file, a capture, or one of ${shippedMachines().join(', ')}`,
    );
  if (/\.(ya?ml|json)$/.test(name) && statSync(name).isFile())
    return modelled(name, readDescription(textOf(name), name), options);
  return { name, sysfs: await readCapture(name), machine: undefined };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fileError(path, error);
  }
}

function modelled(
  name: string,
  description: MachineDescription,
  options: MachineOptions,
): OpenedMachine {
  const machine = new Machine(description, options);
  return { name, sysfs: machine.sysfs, machine };
}
