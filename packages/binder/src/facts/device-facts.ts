import { NO_OVERRIDE, type Sysfs } from '@vfiokit/driver-model';
import { className, type PciIds, pciModalias } from '@vfiokit/pci';
import { ENOENT } from '@vfiokit/uapi';
import { AttributeReader, type Fact, fact } from './attribute-reader.js';

/** What is known of a function, each fact with its source. What could not be observed says so. */
export interface DeviceFacts {
  /** The kernel's name, such as `0000:00:02.0`. */
  readonly name: string;
  /** Its directory in sysfs. */
  readonly path: string;
  readonly ids: Fact<PciIds>;
  readonly revision: Fact<number>;
  /** 0 for an endpoint, 1 for a bridge. */
  readonly headerType: Fact<number>;
  readonly modalias: Fact<string>;
  /** The bound driver; null where there is none. */
  readonly driver: Fact<string | null>;
  /** The override; null where there is none. */
  readonly override: Fact<string | null>;
  /** The IOMMU group's number; null where there is none. */
  readonly group: Fact<string | null>;
  readonly physfn: Fact<string | null>;
  /** The VFs of a PF, in order. */
  readonly virtfns: readonly string[];
  readonly totalVfs: Fact<number>;
  readonly vfDriversAutoprobe: Fact<number>;
  /** The VFIO devices it offers, such as `vfio0`. */
  readonly vfioDevices: readonly string[];
  readonly bootVga: Fact<number>;
  /** What the bound driver made of it: names below `net`, `nvme`, `block` and the like. */
  readonly classDevices: Readonly<Record<string, readonly string[]>>;
  readonly capabilitiesKnown: boolean;
  /** Facts that contradict each other. */
  readonly disagreements: readonly string[];
}

const CLASS_FOLDERS = [
  'net',
  'nvme',
  'block',
  'drm',
  'graphics',
  'infiniband',
  'sound',
  'usb',
  'ata',
];
const CONFIG_STANDARD = 64;
/** A file that every function has had since Linux 2.6, and no tool copies by name. */
const ALWAYS_THERE = 'enable';

/**
 * Reads the facts of one function. Nothing is written, and no file outside of its directory is opened.
 *
 * @param groupsKnown whether a function without a link to a group is in none.
 */
export async function readDevice(
  sysfs: Sysfs,
  name: string,
  groupsKnown = false,
): Promise<DeviceFacts> {
  const path = `/sys/bus/pci/devices/${name}`;
  const reader = new AttributeReader(sysfs, path);
  const entries = new Set(await reader.list(''));
  const config = await sysfs.read(`${path}/config`);
  const uevent = await reader.text('uevent');
  const files = await readIds(reader);
  const disagreements: string[] = [];
  // Some copying tools take a few files and one or two links: a PF that is not there says nothing then.
  const physfn = nullable(await reader.link('physfn'), entries.has(ALWAYS_THERE));
  const bytes = typeof config === 'number' ? undefined : config;
  const ids = chooseIds(files, uevent, physfn.value ? undefined : bytes, path, disagreements);
  const written = await reader.text('modalias');
  const modalias =
    written.value === undefined && ids.value !== undefined
      ? fact(pciModalias(ids.value), 'computed from the ids')
      : written;
  if (
    written.value !== undefined &&
    ids.value !== undefined &&
    written.value !== pciModalias(ids.value)
  )
    disagreements.push(`${written.source} is not what the ids give`);
  const virtfns = await Promise.all(
    [...entries]
      .filter((entry) => /^virtfn\d+$/.test(entry))
      .sort((a, b) => Number(a.slice(6)) - Number(b.slice(6)))
      .map(async (entry) => (await reader.link(entry)).value!),
  );
  const classDevices: Record<string, readonly string[]> = {};
  for (const folder of CLASS_FOLDERS)
    if (entries.has(folder)) classDevices[folder] = await reader.list(folder);
  return {
    name,
    path,
    ids,
    revision: await numberOr(reader, 'revision', bytes?.[0x08]),
    headerType: headerType(bytes, ids, path),
    modalias,
    driver: nullable(await reader.link('driver'), entries.size > 0),
    override: normalizeOverride(await reader.text('driver_override')),
    group: numbered(nullable(await reader.link('iommu_group'), groupsKnown)),
    physfn,
    virtfns,
    totalVfs: await reader.number('sriov_totalvfs'),
    vfDriversAutoprobe: await reader.number('sriov_drivers_autoprobe'),
    vfioDevices: entries.has('vfio-dev')
      ? (await reader.list('vfio-dev')).filter(isVfioDevice)
      : [],
    bootVga: await reader.number('boot_vga'),
    classDevices,
    capabilitiesKnown: bytes !== undefined && bytes.length > CONFIG_STANDARD,
    disagreements,
  };
}

/** A function's class in words, such as `VGA compatible controller`. */
export function describeClass(facts: DeviceFacts): string {
  return facts.ids.value === undefined ? 'of an unknown class' : className(facts.ids.value.class);
}

function isVfioDevice(name: string): boolean {
  return /^vfio\d+$/.test(name);
}

/** Where the directory was captured, a link that is not there says "none"; else nothing is known. */
function nullable(link: Fact<string>, captured: boolean): Fact<string | null> {
  if (link.value !== undefined) return link;
  return captured && link.errno === -ENOENT ? fact(null, link.source) : link;
}

/** Groups have numbers; a link to anything else tells nothing. */
function numbered(group: Fact<string | null>): Fact<string | null> {
  if (!group.value || /^\d+$/.test(group.value)) return group;
  return { value: undefined, source: group.source };
}

/** Both `(null)` and an empty line are no override. An attribute that is not there is unknown. */
function normalizeOverride(text: Fact<string>): Fact<string | null> {
  if (text.value === undefined) return text;
  return fact(text.value === '' || text.value === NO_OVERRIDE ? null : text.value, text.source);
}

async function numberOr(
  reader: AttributeReader,
  name: string,
  byte: number | undefined,
): Promise<Fact<number>> {
  const read = await reader.number(name);
  return read.value === undefined && byte !== undefined
    ? fact(byte, `${reader.path}/config`)
    : read;
}

/** The ids of the files; the modalias fills in those of the subsystem, which some captures lack. */
async function readIds(reader: AttributeReader): Promise<Fact<PciIds>> {
  const named = async (name: string) => (await reader.number(name)).value;
  const modalias = idsOfModalias((await reader.text('modalias')).value);
  const numbers = {
    vendor: await named('vendor'),
    device: await named('device'),
    subsystemVendor: (await named('subsystem_vendor')) ?? modalias?.subsystemVendor,
    subsystemDevice: (await named('subsystem_device')) ?? modalias?.subsystemDevice,
    class: await named('class'),
  };
  if (Object.values(numbers).every((number) => number !== undefined))
    return fact(numbers as PciIds, `${reader.path}/{vendor,device,subsystem_*,class}`);
  return modalias === undefined
    ? { value: undefined, source: reader.path, errno: -ENOENT }
    : fact(modalias, `${reader.path}/modalias`);
}

/** The files, else the modalias in `uevent`, else configuration space, which VFs do not answer with their ids. */
function chooseIds(
  files: Fact<PciIds>,
  uevent: Fact<string>,
  config: Uint8Array | undefined,
  path: string,
  disagreements: string[],
): Fact<PciIds> {
  const fromConfig = config === undefined ? undefined : idsOfConfig(config);
  if (files.value !== undefined) {
    if (fromConfig !== undefined && fromConfig.vendor !== files.value.vendor)
      disagreements.push(`${path}/config has another vendor than ${path}/vendor`);
    return files;
  }
  const fromUevent = idsOfModalias(/^MODALIAS=(.*)$/m.exec(uevent.value ?? '')?.[1]);
  if (fromUevent !== undefined) return fact(fromUevent, uevent.source);
  return fromConfig === undefined ? files : fact(fromConfig, `${path}/config`);
}

function idsOfModalias(modalias: string | undefined): PciIds | undefined {
  const match = /^pci:v(\w{8})d(\w{8})sv(\w{8})sd(\w{8})bc(\w{2})sc(\w{2})i(\w{2})$/.exec(
    modalias ?? '',
  );
  if (match === null) return undefined;
  const [vendor, device, subsystemVendor, subsystemDevice] = match
    .slice(1, 5)
    .map((text) => parseInt(text, 16));
  return {
    vendor: vendor!,
    device: device!,
    subsystemVendor: subsystemVendor!,
    subsystemDevice: subsystemDevice!,
    class: parseInt(match.slice(5).join(''), 16),
  };
}

function idsOfConfig(config: Uint8Array): PciIds | undefined {
  if (config.length < CONFIG_STANDARD) return undefined;
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  // A VF has no ids of its own, and a function that is powered down answers with ones.
  if (view.getUint16(0x00, true) === 0xffff) return undefined;
  const endpoint = (config[0x0e]! & 0x7f) === 0;
  return {
    vendor: view.getUint16(0x00, true),
    device: view.getUint16(0x02, true),
    subsystemVendor: endpoint ? view.getUint16(0x2c, true) : 0,
    subsystemDevice: endpoint ? view.getUint16(0x2e, true) : 0,
    class: view.getUint32(0x08, true) >>> 8,
  };
}

function headerType(config: Uint8Array | undefined, ids: Fact<PciIds>, path: string): Fact<number> {
  const byte = config?.[0x0e];
  if (byte !== undefined && byte !== 0xff) return fact(byte & 0x7f, `${path}/config`);
  if (ids.value === undefined)
    return { value: undefined, source: `${path}/config`, errno: -ENOENT };
  // Without configuration space, a PCI-to-PCI or CardBus bridge is told by its class.
  const kinds: Readonly<Record<number, number>> = { 1540: 1, 1545: 1, 1543: 2 };
  return fact(kinds[ids.value.class >>> 8] ?? 0, 'derived from the class');
}
