import { baseName, readText, type Sysfs } from '@vfiokit/driver-model';
import { PciAddress } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import { readArchitecture } from './architecture.js';
import type { Fact } from './attribute-reader.js';
import { type DeviceFacts, readDevice } from './device-facts.js';
import { nearest } from './nearest.js';

/** A driver of the PCI bus as sysfs shows it. */
export interface DriverFacts {
  readonly name: string;
  /** Its module; undefined for one that names none. */
  readonly module: string | undefined;
  /** Whether it can be bound by hand: a capture may lack the files, then nothing is known. */
  readonly bindable: boolean | undefined;
}

/** A machine as a planner sees it: everything was read before anything is decided. */
export interface HostFacts {
  readonly kind: Sysfs['kind'];
  readonly release: string | undefined;
  readonly bootId: string | undefined;
  /** The machine's architecture in uname's words, and what told it. */
  readonly architecture: Fact<string>;
  readonly devices: ReadonlyMap<string, DeviceFacts>;
  readonly drivers: ReadonlyMap<string, DriverFacts>;
  /** Members of each IOMMU group, by its number. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Drivers of the PCI bus by the module that holds them. */
  readonly moduleDrivers: ReadonlyMap<string, readonly string[]>;
  readonly loadedModules: ReadonlySet<string>;
  readonly autoprobe: boolean | undefined;
  /** Whether VFIO takes devices that no IOMMU confines (`enable_unsafe_noiommu_mode`); undefined where vfio is not loaded. */
  readonly noIommuMode: boolean | undefined;
  /** What stands in the bus's folder of devices and is no function. */
  readonly ignored: readonly string[];
}

const BUS = '/sys/bus/pci';

/** Reads a machine. What is missing in it is unknown, and nothing is written. */
export async function readHost(sysfs: Sysfs): Promise<HostFacts> {
  const listed = await sysfs.list(`${BUS}/devices`);
  if (typeof listed === 'number')
    throw new VfioError(
      listed === -13 ? 'EACCES' : 'ENODEV',
      `${BUS}/devices: can't be listed; is it a machine with a PCI bus?`,
    );
  const names = listed.filter(isKernelName);
  const devices = new Map<string, DeviceFacts>();
  const groupsKnown = typeof (await sysfs.list('/sys/kernel/iommu_groups')) !== 'number';
  const sorted = names.map((name) => PciAddress.parse(name)).sort((a, b) => a.compare(b));
  const byAddress = new Map(names.map((name) => [PciAddress.parse(name).toString(), name]));
  for (const address of sorted) {
    const name = byAddress.get(address.toString())!;
    devices.set(name, await readDevice(sysfs, name, groupsKnown));
  }
  const groups = new Map<string, string[]>();
  for (const { name, group } of devices.values())
    if (group.value) groups.set(group.value, [...(groups.get(group.value) ?? []), name]);
  const moduleDrivers = await readModuleDrivers(sysfs);
  const autoprobe = await readText(sysfs, `${BUS}/drivers_autoprobe`);
  const noIommu = await readText(sysfs, '/sys/module/vfio/parameters/enable_unsafe_noiommu_mode');
  const release = await readRelease(sysfs);
  return {
    kind: sysfs.kind,
    release,
    bootId: trimmed(await readText(sysfs, '/proc/sys/kernel/random/boot_id')),
    architecture: await readArchitecture(sysfs, release),
    devices,
    drivers: await readDrivers(sysfs),
    groups,
    moduleDrivers,
    loadedModules: await readLoadedModules(sysfs, moduleDrivers),
    autoprobe: typeof autoprobe === 'number' ? undefined : autoprobe.startsWith('1'),
    noIommuMode: typeof noIommu === 'number' ? undefined : /^[Y1]/.test(noIommu),
    ignored: listed.filter((name) => !isKernelName(name)),
  };
}

/**
 * The facts of a device that somebody named, in the kernel's form or the short one.
 *
 * @throws VfioError `EINVAL` for what is no address, `ENODEV` with the nearest names for one that is not there.
 */
export function findDevice(host: HostFacts, text: string): DeviceFacts {
  const address = PciAddress.parse(text);
  const device = host.devices.get(address.toString());
  if (device !== undefined) return device;
  const near = nearest(address.toString(), [...host.devices.keys()]);
  const { size } = host.devices;
  const others =
    near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there are ${size} others`;
  const hint = size === 0 ? 'the machine has no PCI functions' : others;
  throw new VfioError('ENODEV', `${address}: no such device; ${hint}`);
}

/** Whether a name is one that the kernel gives: whole, lower case, padded. */
export function isKernelName(name: string): boolean {
  const address = PciAddress.tryParse(name);
  return address !== undefined && address.toString() === name;
}

async function readDrivers(sysfs: Sysfs): Promise<ReadonlyMap<string, DriverFacts>> {
  const drivers = new Map<string, DriverFacts>();
  const names = await sysfs.list(`${BUS}/drivers`);
  if (typeof names === 'number') return drivers;
  for (const name of names) {
    const path = `${BUS}/drivers/${name}`;
    const files = await sysfs.list(path);
    const module = await sysfs.readLink(`${path}/module`);
    const listed = typeof files === 'number' ? [] : files;
    // Write-only files are what copying tools leave out: only a tree that has some of them tells something.
    const complete = listed.includes('new_id');
    drivers.set(name, {
      name,
      module: typeof module === 'number' ? undefined : baseName(module),
      bindable: listed.includes('bind') || (complete ? false : undefined),
    });
  }
  return drivers;
}

/** Module and driver names differ as their authors like: the module's own links are the only ones who know. */
async function readModuleDrivers(sysfs: Sysfs): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  const modules = await sysfs.list('/sys/module');
  if (typeof modules === 'number') return found;
  for (const module of modules) {
    const links = await sysfs.list(`/sys/module/${module}/drivers`);
    if (typeof links === 'number') continue;
    const drivers = links.filter((link) => link.startsWith('pci:')).map((link) => link.slice(4));
    if (drivers.length > 0) found.set(module, drivers);
  }
  return found;
}

async function readLoadedModules(
  sysfs: Sysfs,
  moduleDrivers: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlySet<string>> {
  const text = await readText(sysfs, '/proc/modules');
  const lines = typeof text === 'number' ? [] : text.split('\n');
  const names = lines.map((line) => line.split(' ', 1)[0]!).filter((name) => name !== '');
  return new Set([...names, ...moduleDrivers.keys()]);
}

/** What uname says, or what the kernel says of itself in `/proc/version`, which more captures have. */
async function readRelease(sysfs: Sysfs): Promise<string | undefined> {
  const release = trimmed(await readText(sysfs, '/proc/sys/kernel/osrelease'));
  if (release !== undefined) return release;
  const version = trimmed(await readText(sysfs, '/proc/version'));
  return /^Linux version (\S+)/.exec(version ?? '')?.[1];
}

function trimmed(text: string | number): string | undefined {
  return typeof text === 'number' || text.trim() === '' ? undefined : text.trim();
}
