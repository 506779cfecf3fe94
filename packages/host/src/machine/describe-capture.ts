import { baseName, readText, type Sysfs } from '@vfiokit/driver-model';
import { PciAddress } from '@vfiokit/pci';
import type { MachineDescription, MachineLiteral } from './description.js';
import { describeMachine } from './read-description.js';

const BUS = '/sys/bus/pci';
const MODELLED = ['x86_64', 's390x', 'ppc64le', 'aarch64'] as const;
const HEADER_BRIDGE_CLASS = '0604';
/** Drivers that leave DMA to a user although they are no VFIO drivers. */
const MANAGED_DMA: ReadonlySet<string> = new Set(['pcieport', 'pci-stub']);

type FunctionLiteral = MachineLiteral['functions'][number];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What a capture says of one function, as text. */
interface Captured {
  readonly at: string;
  readonly driver: string | undefined;
  readonly literal: Mutable<FunctionLiteral>;
  readonly isVf: boolean;
}

/**
 * A captured machine as a description, so that what would be done on it can be tried on a model: its functions, groups,
 * drivers and overrides. What was not captured is left to the model's defaults; functions have no BARs here, and drivers
 * take what they had. Virtual functions come from their PF where the capture tells how they lie, else they stand alone.
 */
export async function describeCapture(
  sysfs: Sysfs,
  name: string,
  architecture?: string,
): Promise<MachineDescription> {
  const listed = await sysfs.list(`${BUS}/devices`);
  const names = typeof listed === 'number' ? [] : listed;
  const addresses = names
    .map((one) => PciAddress.tryParse(one))
    .filter((one) => one !== undefined)
    .sort((a, b) => a.compare(b));
  const hasGroups = typeof (await sysfs.list('/sys/kernel/iommu_groups')) !== 'number';
  const captured: Captured[] = [];
  for (const address of addresses) {
    const one = await readFunction(sysfs, address.toString(), hasGroups);
    if (one !== undefined) captured.push(one);
  }
  const fromPf = new Set(
    captured.some(({ literal }) => literal.sriov !== undefined)
      ? captured.filter(({ isVf }) => isVf)
      : [],
  );
  for (const { at, literal } of captured)
    if (literal.sriov !== undefined)
      literal.sriov = { ...literal.sriov, vfs: await readVfs(sysfs, at, captured) };
  const functions = captured.filter((one) => !fromPf.has(one)).map(({ literal }) => literal);
  const modules = await readModules(sysfs, captured);
  const release = await readText(sysfs, '/proc/sys/kernel/osrelease');
  const vfio = await readVfioDrivers(sysfs);
  return describeMachine({
    name,
    architecture: MODELLED.find((one) => one === architecture) ?? 'x86_64',
    kernel: typeof release === 'number' ? 'unknown' : release.trim(),
    functions,
    modules,
    vfio: { loaded: vfio.length > 0 ? vfio : ['vfio-pci'] },
  });
}

async function readFunction(
  sysfs: Sysfs,
  at: string,
  hasGroups: boolean,
): Promise<Captured | undefined> {
  const text = async (file: string): Promise<string | undefined> => {
    const read = await readText(sysfs, `${BUS}/devices/${at}/${file}`);
    return typeof read === 'number' ? undefined : read.trim();
  };
  const link = async (file: string): Promise<string | undefined> => {
    const target = await sysfs.readLink(`${BUS}/devices/${at}/${file}`);
    return typeof target === 'number' ? undefined : baseName(target);
  };
  const number = async (file: string) => (await text(file))?.replace(/^0x/, '');
  const [vendor, device, class_] = [
    await number('vendor'),
    await number('device'),
    await number('class'),
  ];
  if (vendor === undefined || device === undefined || class_ === undefined) return undefined;
  const modalias = /sv0000(\w{4})sd0000(\w{4})/.exec((await text('modalias')) ?? '');
  const driver = await link('driver');
  const group = await link('iommu_group');
  const override = await text('driver_override');
  const literal: Mutable<FunctionLiteral> = {
    at,
    ids: `${vendor}:${device}`,
    class: class_,
    revision: (await number('revision')) ?? '00',
    express: false,
    probe: driver !== undefined,
  };
  if (modalias !== null) literal.subsystem = `${modalias[1]}:${modalias[2]}`.toLowerCase();
  if (group !== undefined) literal.group = Number(group);
  else if (hasGroups) literal.group = 'none';
  if (override !== undefined && override !== '' && override !== '(null)')
    literal.override = override;
  if (class_.startsWith(HEADER_BRIDGE_CLASS)) {
    const secondary = await text('secondary_bus_number');
    // A bridge of which nobody knows where it leads leads nowhere: what is behind it hangs from its domain.
    if (secondary !== undefined) literal.bridgeTo = Number(secondary).toString(16).padStart(2, '0');
  }
  literal.provides = await readClassDevices(sysfs, at);
  const bootVga = await text('boot_vga');
  if (bootVga !== undefined) literal.bootVga = bootVga === '1';
  const sriov = await readSriov(text);
  if (sriov !== undefined) {
    literal.sriov = sriov;
    literal.express = true;
  }
  return { at, driver, literal, isVf: (await link('physfn')) !== undefined };
}

/** What a driver's class devices are called, by folder: the first that a person would name it by. */
const CLASS_DEVICES = {
  net: /./,
  nvme: /./,
  graphics: /./,
  drm: /^card\d+$/,
  sound: /^card\d+$/,
  infiniband: /./,
  block: /./,
} as const;

async function readClassDevices(sysfs: Sysfs, at: string): Promise<FunctionLiteral['provides']> {
  const provides: Record<string, string> = {};
  for (const [folder, pattern] of Object.entries(CLASS_DEVICES)) {
    const names = await sysfs.list(`${BUS}/devices/${at}/${folder}`);
    const name = typeof names === 'number' ? undefined : names.find((one) => pattern.test(one));
    if (name !== undefined) provides[folder] = name;
  }
  return provides;
}

async function readSriov(
  text: (file: string) => Promise<string | undefined>,
): Promise<FunctionLiteral['sriov']> {
  const device = await text('sriov_vf_device');
  const numbers = await Promise.all(
    ['sriov_totalvfs', 'sriov_numvfs', 'sriov_offset', 'sriov_stride'].map(text),
  );
  if (device === undefined || numbers.some((one) => one === undefined)) return undefined;
  const [total, enabled, offset, stride] = numbers.map(Number);
  return {
    total: total!,
    enabled: enabled!,
    offset: offset!,
    stride: stride!,
    device: device.padStart(4, '0'),
  };
}

/** What was captured of a PF's VFs, by their number. */
async function readVfs(sysfs: Sysfs, pf: string, captured: readonly Captured[]) {
  const vfs: { group?: number; provides?: Record<string, string> }[] = [];
  for (;;) {
    const link = await sysfs.readLink(`${BUS}/devices/${pf}/virtfn${vfs.length}`);
    if (typeof link === 'number') return vfs;
    const { group, provides } = captured.find(({ at }) => at === baseName(link))?.literal ?? {};
    vfs.push({
      ...(typeof group === 'number' ? { group } : {}),
      ...(provides === undefined ? {} : { provides }),
    });
  }
}

/** Host drivers by their modules; each takes the ids of what it has. */
async function readModules(
  sysfs: Sysfs,
  captured: readonly Captured[],
): Promise<NonNullable<MachineLiteral['modules']>> {
  const listed = await sysfs.list(`${BUS}/drivers`);
  const drivers = new Set([
    ...(typeof listed === 'number' ? [] : listed),
    ...captured.flatMap(({ driver }) => (driver === undefined ? [] : [driver])),
  ]);
  const modules: NonNullable<MachineLiteral['modules']> = [];
  for (const driver of drivers) {
    if (isVfioDriver(driver)) continue;
    const module = await sysfs.readLink(`${BUS}/drivers/${driver}/module`);
    const mine = captured.filter((one) => one.driver === driver);
    modules.push({
      name: typeof module === 'number' ? driver.replaceAll(/[^A-Za-z0-9]/g, '_') : baseName(module),
      drivers: [
        {
          name: driver,
          ids: [...new Set(mine.map(({ literal }) => literal.ids))],
          sriov: mine.some(({ literal }) => literal.sriov !== undefined),
          managedDma: MANAGED_DMA.has(driver),
        },
      ],
    });
  }
  return modules;
}

async function readVfioDrivers(sysfs: Sysfs): Promise<string[]> {
  const listed = await sysfs.list(`${BUS}/drivers`);
  return typeof listed === 'number' ? [] : listed.filter(isVfioDriver);
}

/** By the kernel's custom; whether it is one shows when something is bound to it. */
function isVfioDriver(name: string): boolean {
  return /vfio[-_]pci$/.test(name);
}
