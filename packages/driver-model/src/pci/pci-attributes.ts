import { pciModalias } from '@vfiokit/pci';
import { EBUSY, EINVAL, EIO, ENOENT, EOPNOTSUPP, EPERM, ERANGE } from '@vfiokit/uapi';
import { andThen } from '../blocking.js';
import { triggerOnNumber } from '../bus-sysfs.js';
import { type Attribute, attributeTable } from '../sysfs/attribute.js';
import { parseBoolean, parseUnsigned } from '../sysfs/kstrtox.js';
import type { PciBusDevice, ResourceFacts } from './pci-bus-device.js';
import type { PciDriver } from './pci-driver.js';

type Row = Attribute<PciBusDevice>;

/** Resources that a function has lines for: six BARs, the ROM, six VF BARs. */
const RESOURCES = 13;
const PCI_CLASS_DISPLAY_VGA = 0x0300;
const MAX_RESET_METHODS = 7;
const RESET_METHODS = ['device_specific', 'acpi', 'flr', 'af_flr', 'pm', 'bus', 'cxl_bus'];

const readOnly = (name: string, show: (device: PciBusDevice) => string): Row => ({
  name,
  mode: 0o444,
  show,
});

/** A file that a function has if the fact behind it is known. */
const known = <T>(
  name: string,
  fact: (device: PciBusDevice) => T | undefined,
  show: (fact: T) => string,
): Row => ({
  name,
  mode: 0o444,
  visible: (device) => fact(device) !== undefined,
  show: (device) => show(fact(device) as T),
});

const IDENTITY: readonly Row[] = [
  readOnly('vendor', ({ facts }) => `${hex(facts.vendor, 4)}\n`),
  readOnly('device', ({ facts }) => `${hex(facts.device, 4)}\n`),
  readOnly('subsystem_vendor', ({ facts }) => `${hex(facts.subsystemVendor, 4)}\n`),
  readOnly('subsystem_device', ({ facts }) => `${hex(facts.subsystemDevice, 4)}\n`),
  readOnly('revision', ({ facts }) => `${hex(facts.revision, 2)}\n`),
  readOnly('class', ({ facts }) => `${hex(facts.class, 6)}\n`),
  readOnly('modalias', ({ facts }) => `${pciModalias(facts)}\n`),
  readOnly('resource', ({ facts }) => resourceText(facts.resources ?? [])),
  readOnly('irq', ({ facts }) => `${facts.irq ?? 0}\n`),
  {
    name: 'numa_node',
    mode: 0o644,
    show: ({ facts }) => `${facts.numaNode ?? -1}\n`,
    store: () => -EINVAL,
  },
  known(
    'boot_vga',
    ({ facts }) =>
      facts.class >>> 8 === PCI_CLASS_DISPLAY_VGA ? (facts.bootVga ?? false) : undefined,
    (bootVga) => (bootVga ? '1\n' : '0\n'),
  ),
];

function resourceText(resources: readonly ResourceFacts[]): string {
  const number = (value: bigint) => `0x${value.toString(16).padStart(16, '0')}`;
  return Array.from({ length: Math.max(RESOURCES, resources.length) }, (_, index) => {
    const resource = resources[index];
    if (resource === undefined || resource.length === 0) return [0n, 0n, 0n];
    const { start, length, flags } = resource;
    return [start, start + BigInt(length) - 1n, BigInt(flags)];
  })
    .map((line) => `${line.map(number).join(' ')}\n`)
    .join('');
}

/** pci-sysfs.c: enable_store. */
const ENABLE: Row = {
  name: 'enable',
  mode: 0o644,
  show: (device) => `${device.enableCount}\n`,
  store: (device, text) => {
    const value = parseUnsigned(text);
    if (value === undefined) return -EINVAL;
    return device.lock.run(() => {
      if (device.driver !== undefined) return -EBUSY;
      if (value === 0 && device.enableCount === 0) return -EIO;
      device.enableCount += value === 0 ? -1 : 1;
      return 0;
    });
  },
};

const hasReset = ({ facts }: PciBusDevice): boolean => (facts.resetMethods ?? []).length > 0;

/** pci-sysfs.c: reset_store; pci.c: reset_method_store. */
const RESET: readonly Row[] = [
  {
    name: 'reset',
    mode: 0o200,
    visible: hasReset,
    store: (device, text) =>
      parseUnsigned(text) === 1 ? (device.facts.reset?.(device.resetMethods) ?? 0) : -EINVAL,
  },
  {
    name: 'reset_method',
    mode: 0o644,
    visible: hasReset,
    show: (device) => `${device.resetMethods.join(' ')}\n`,
    store: (device, text) => {
      const supported = device.facts.resetMethods!;
      const wanted = text
        .trim()
        .split(/\s+/)
        .filter((name) => name !== '');
      if (wanted.length === 1 && wanted[0] === 'default') {
        device.resetMethods = supported;
        return 0;
      }
      const valid = (name: string) => RESET_METHODS.includes(name) && supported.includes(name);
      if (wanted.length > MAX_RESET_METHODS || !wanted.every(valid)) return -EINVAL;
      device.resetMethods = [...new Set(wanted)];
      return 0;
    },
  },
];

/** What an unprivileged reader gets: the standard header (pci-sysfs.c: pci_read_config). */
const CONFIG_UNPRIVILEGED = 64;

const BINARY: readonly Row[] = [
  {
    name: 'config',
    mode: 0o644,
    visible: ({ facts }) => facts.readConfig !== undefined,
    show: (device) => {
      const config = device.facts.readConfig!();
      return device.bus?.core.privileged ? config : config.subarray(0, CONFIG_UNPRIVILEGED);
    },
    store: (device, text) =>
      device.facts.writeConfig?.(Uint8Array.from(text, (character) => character.charCodeAt(0))) ??
      -EPERM,
  },
  {
    name: 'rom',
    mode: 0o600,
    visible: ({ facts }) => facts.rom !== undefined,
    show: (device) => (device.romEnabled ? device.facts.rom! : -EINVAL),
    // A write of `0` closes it again; any other opens it (pci-sysfs.c: pci_write_rom).
    store: (device, text) => {
      device.romEnabled = !/^0\n?$/.test(text);
      return 0;
    },
  },
];

const isFunction = (device: PciBusDevice): boolean => !device.isVirtfn;

const PRESENCE: readonly Row[] = [
  {
    name: 'remove',
    mode: 0o220,
    visible: isFunction,
    store: (device, text) => triggerOnNumber(text, () => device.bus?.removeDevice(device)),
  },
  {
    name: 'rescan',
    mode: 0o200,
    visible: isFunction,
    store: (_, text) => triggerOnNumber(text, () => undefined),
  },
];

const sriov = (device: PciBusDevice) => device.sriov;

function driverOf(device: PciBusDevice | undefined): PciDriver | undefined {
  return device?.driver as PciDriver | undefined;
}

/** pci/iov.c: sriov_numvfs_store. */
function storeNumVfs(device: PciBusDevice, text: string): number | Promise<number> {
  const count = parseUnsigned(text);
  if (count === undefined || count > 0xffff) return -EINVAL;
  if (count > device.sriov!.totalVfs) return -ERANGE;
  return device.lock.run(() => {
    const present = device.sriov!.vfs.length;
    if (count === present) return 0;
    const driver = driverOf(device);
    if (driver?.sriovConfigure === undefined) return -ENOENT;
    if (count !== 0 && present !== 0) return -EBUSY;
    return andThen(driver.sriovConfigure(device, count), (made) => Math.min(made, 0));
  });
}

/** pci/iov.c. */
const SRIOV: readonly Row[] = [
  known('sriov_totalvfs', sriov, ({ totalVfs }) => `${totalVfs}\n`),
  known('sriov_offset', sriov, ({ offset }) => `${offset}\n`),
  known('sriov_stride', sriov, ({ stride }) => `${stride}\n`),
  known('sriov_vf_device', sriov, ({ vfDevice }) => `${vfDevice.toString(16)}\n`),
  known('sriov_vf_total_msix', sriov, ({ vfTotalMsix }) => `${vfTotalMsix ?? 0}\n`),
  {
    name: 'sriov_numvfs',
    mode: 0o644,
    visible: (device) => device.sriov !== undefined,
    // Reads wait for whoever binds or unbinds the PF.
    show: (device) => device.lock.run(() => `${device.sriov!.vfs.length}\n`),
    store: storeNumVfs,
  },
  {
    name: 'sriov_drivers_autoprobe',
    mode: 0o644,
    visible: (device) => device.sriov !== undefined,
    show: (device) => `${device.sriov!.driversAutoprobe ? 1 : 0}\n`,
    store: (device, text) => {
      const value = parseBoolean(text);
      if (value === undefined) return -EINVAL;
      device.sriov!.driversAutoprobe = value;
      return 0;
    },
  },
  {
    name: 'sriov_vf_msix_count',
    mode: 0o200,
    visible: (device) => device.isVirtfn,
    store: (vf, text) => {
      const count = parseUnsigned(text);
      if (count === undefined) return -EINVAL;
      const driver = driverOf(vf.physfn);
      if (driver?.setVfMsixCount === undefined) return -EOPNOTSUPP;
      return vf.driver === undefined ? driver.setVfMsixCount(vf, count) : -EBUSY;
    },
  },
];

/** Files of every PCI function (pci-sysfs.c, iov.c), in the order of the kernel's tables. */
export const PCI_DEVICE_ATTRIBUTES: ReadonlyMap<string, Row> = attributeTable([
  ...IDENTITY,
  ENABLE,
  ...BINARY,
  ...PRESENCE,
  ...RESET,
  ...SRIOV,
]);

/** Lower-case hexadecimal of a fixed width behind `0x`, as most attributes show it. */
function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
