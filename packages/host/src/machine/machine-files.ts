import type { VfioPciDriver } from '@vfiokit/core';
import { Directory, type DriverCore, type SysfsDirectory, textFile } from '@vfiokit/driver-model';
import type { IommuGroups, VfioGroups } from '@vfiokit/iommu';
import { type PciIdPattern, pciAlias } from '@vfiokit/pci';
import type { DriverSpec, MachineDescription } from './description.js';
import { iommuGroupsDirectory } from './iommu-groups-directory.js';
import { idEntries } from './model-driver.js';
import type { OpenDevices } from './open-devices.js';
import { moduleOf } from './vfio-driver.js';

export interface FilesInput {
  readonly description: MachineDescription;
  readonly core: DriverCore;
  readonly bootId: string;
  readonly vfioDrivers: readonly VfioPciDriver[];
  readonly groups: VfioGroups;
  readonly iommuGroups: IommuGroups;
  readonly users: OpenDevices;
  /** Path of a function in `/sys/devices`. */
  readonly pathOf: (name: string) => string | undefined;
}

/** The root of a modelled machine's files: `/sys`, and what stands beside it. */
export function machineFiles(input: FilesInput): Directory {
  const { description, core, bootId, users } = input;
  const kernel = new Directory({
    osrelease: textFile(`${description.kernel}\n`),
    arch: textFile(`${description.architecture}\n`),
    random: new Directory({ boot_id: textFile(`${bootId}\n`) }),
  });
  const proc = new Directory({ sys: new Directory({ kernel }) });
  proc.set(
    'modules',
    textFile(() => procModules(core)),
  );
  proc.set(
    'mounts',
    textFile(description.root === undefined ? '' : `/dev/${description.root} / ext4 rw 0 0\n`),
  );
  proc.set('net', new Directory({ route: textFile(routes(description.defaultRoute)) }));
  const root = new Directory({
    sys: core.sys,
    proc: users.procFiles(proc),
    dev: new Directory({ vfio: devVfio(input) }),
    etc: new Directory({
      'modprobe.d': new Directory({ 'blacklist.conf': textFile(blacklist(description)) }),
    }),
  });
  root.path('lib/modules').set(description.kernel, moduleIndexes(input));
  core.sys.directory('kernel').set('iommu_groups', iommuGroupsDirectory(input));
  return root;
}

function procModules(core: DriverCore): string {
  return [...core.modules.values()]
    .filter(({ builtIn }) => !builtIn)
    .map(({ name, references }) => `${name} 16384 ${references} - Live 0x0000000000000000\n`)
    .join('');
}

function routes(interface_: string | undefined): string {
  const header =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  return interface_ === undefined
    ? header
    : `${header}${interface_}\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`;
}

function blacklist(description: MachineDescription): string {
  return description.blacklist.map((module) => `blacklist ${module}\n`).join('');
}

/** The indexes that depmod would make: VFIO drivers have a prefix of their own, what is compiled in a file of its own. */
function moduleIndexes({ description, vfioDrivers }: FilesInput): Directory {
  const aliases = (entries: readonly PciIdPattern[]) =>
    entries.map(pciAlias).filter((alias) => alias !== undefined);
  const native = (drivers: readonly DriverSpec[]) =>
    drivers.flatMap(({ ids }) => aliases(idEntries(ids ?? [])));
  const { vfio, modules } = description;
  const installed = new Set([...vfio.loaded!, ...vfio.available!]);
  const lines = [
    '# Aliases extracted from modules themselves.',
    ...modules
      .filter(({ state }) => state !== 'builtin')
      .flatMap(({ name, drivers }) => native(drivers).map((alias) => `alias ${alias} ${name}`)),
    ...vfioDrivers
      .filter(({ name }) => installed.has(name))
      .flatMap(({ name, ids }) =>
        aliases(ids.map((id) => ({ ...id, overrideOnly: true }))).map(
          (alias) => `alias ${alias} ${moduleOf(name)}`,
        ),
      ),
  ];
  const builtin = modules.filter(({ state }) => state === 'builtin');
  const modinfo = builtin.flatMap(({ name, drivers }) =>
    native(drivers).map((alias) => `${name}.alias=${alias}\0`),
  );
  const order = [
    ...modules.filter(({ state }) => state !== 'builtin').map(({ name }) => name),
    ...[...installed].map(moduleOf),
  ];
  return new Directory({
    'modules.alias': textFile(`${lines.join('\n')}\n`),
    'modules.order': textFile(order.map((name) => `kernel/${name}.ko\n`).join('')),
    'modules.builtin': textFile(builtin.map(({ name }) => `kernel/${name}.ko\n`).join('')),
    'modules.builtin.modinfo': textFile(modinfo.join('')),
  });
}

function devVfio({ groups }: FilesInput): SysfsDirectory {
  const node = textFile('', 0o600);
  const names = () => ['vfio', ...[...groups].map(({ nodeName }) => nodeName)];
  return {
    kind: 'directory',
    get: (name) => (names().includes(name) ? node : undefined),
    names,
  };
}
