import type { DriverNames } from './driver-names.js';

/** The modules of a driver's package, `src` and `test`: the text of every file by its path in the package. */
export function driverSources(names: DriverNames): Readonly<Record<string, string>> {
  const { name } = names;
  return {
    'src/index.ts': index(names),
    'src/register.ts': registerFile(names),
    'src/ids.ts': IDS,
    [`src/${name}-driver.ts`]: driverFile(names),
    'src/scratch-region.ts': SCRATCH_REGION,
    'src/revision.ts': REVISION,
    'src/machine.ts': machineFile(names),
    'src/main.ts': mainFile(names),
    [`test/${name}-driver.test.ts`]: testFile(names),
  };
}

function index({ name, constant, register, variant, machine }: DriverNames): string {
  return `export { DEVICE, VENDOR } from './ids.js';
export { AT, ${machine} } from './machine.js';
export { main } from './main.js';
export { ${register}, ${variant} } from './register.js';
export { REVISION_OVERRIDE } from './revision.js';
export { SCRATCH_SIZE, scratchRegion } from './scratch-region.js';
export { ${constant} } from './${name}-driver.js';
`;
}

function registerFile({ name, driver, constant, register, variant }: DriverNames): string {
  return `import { VFIO_PCI_DRIVERS, type Variant } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { ${constant} } from './${name}-driver.js';

/** Puts \`${driver}\` on a host. */
export function ${register}(container: DependencyContainer): void {
  container.register(VFIO_PCI_DRIVERS, { useValue: ${constant} });
}

/** How the driver joins a machine that is being put together. \`vfiokit --variant\` finds it by the end of its name. */
export const ${variant}: Variant = (host) => ${register}(host);
`;
}

const IDS = `/** PCI ids of the functions that the driver is for; machine.yaml has one with them. */
export const VENDOR = 0x1234;
export const DEVICE = 0x0001;
`;

function driverFile({ name, driver, constant }: DriverNames): string {
  return `import { DEVICE_OVERRIDES, DEVICE_REGIONS, type VfioPciDriver } from '@vfiokit/core';
import { DEVICE, VENDOR } from './ids.js';
import { REVISION_OVERRIDE } from './revision.js';
import { scratchRegion } from './scratch-region.js';

/** The driver of ${name}'s functions. It is taken only for functions whose \`driver_override\` names it. */
export const ${constant}: VfioPciDriver = {
  name: '${driver}',
  ids: [{ vendor: VENDOR, device: DEVICE }],
  probe(_pdev, container) {
    // What is put here lives as long as the function is bound; the core asks for it at every open.
    container.register(DEVICE_REGIONS, { useValue: { regions: () => [scratchRegion()] } });
    container.register(DEVICE_OVERRIDES, { useValue: REVISION_OVERRIDE });
  },
};
`;
}

function machineFile({ name, driver, machine, variant }: DriverNames): string {
  return `import { readFileSync } from 'node:fs';
import { Machine, readDescription } from '@vfiokit/host';
import { ${variant} } from './register.js';

const FILE = new URL('../machine.yaml', import.meta.url);

/** Where \`machine.yaml\` has a function of ${name}. */
export const AT = '0000:01:00.0';

/**
 * The machine of \`machine.yaml\`, with the driver on it.
 *
 * @param override which driver has the functions that are \`${driver}\`'s by the file.
 */
export function ${machine}(override?: string): Machine {
  const description = readDescription(readFileSync(FILE, 'utf8'), 'machine.yaml');
  const functions = description.functions.map((spec) =>
    override === undefined || spec.override === undefined ? spec : { ...spec, override },
  );
  return new Machine({ ...description, functions }, { register: ${variant} });
}
`;
}

const SCRATCH_REGION = `import type { DeviceRegion, RegionOps } from '@vfiokit/core';
import { MemoryBlock } from '@vfiokit/pci';
import { VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vendorRegionType } from '@vfiokit/uapi';
import { VENDOR } from './ids.js';

/** Bytes. */
export const SCRATCH_SIZE = 4096;
const SUBTYPE = 1;

/** Memory that a user may do with what it likes; anew at every open. */
class Scratch implements RegionOps {
  readonly #memory = new MemoryBlock(SCRATCH_SIZE);

  read(offset: number, size: 1 | 2 | 4): number {
    return this.#memory.read(offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): number {
    this.#memory.write(offset, size, value);
    return 0;
  }
}

/** The region, at index 9. Users find it by its type, not by its index. */
export function scratchRegion(): DeviceRegion {
  return {
    type: vendorRegionType(VENDOR),
    subtype: SUBTYPE,
    size: SCRATCH_SIZE,
    flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
    ops: new Scratch(),
  };
}
`;

const REVISION = `import type { ConfigRegister, DeviceOverride } from '@vfiokit/core';

const PCI_REVISION_ID = 0x08;
/** Tells the guest's driver that it is not alone with the hardware. */
const EMULATED = 0x80;

/** The revision, with its top bit set. Everything that is not named here stays the core's, and costs nothing. */
const revision: ConfigRegister = {
  name: 'revision',
  offset: PCI_REVISION_ID,
  length: 1,
  read(offset, size, next) {
    const value = next.read(offset, size);
    return value < 0 ? value : value | EMULATED;
  },
  write: (offset, size, value, next) => next.write(offset, size, value),
};

export const REVISION_OVERRIDE: DeviceOverride = { configRegisters: () => [revision] };
`;

function mainFile({ driver, machine }: DriverNames): string {
  return `// What a user sees of the driver, side by side with plain vfio-pci.
import { DeviceClient } from '@vfiokit/uapi';
import { AT, ${machine} } from './machine.js';

export function main(print: (line: string) => void): void {
  const row = (what: string, plain: unknown, derived: unknown) =>
    print(\`\${what.padEnd(12)}\${String(plain).padEnd(12)}\${derived}\`);
  using plain = ${machine}('vfio-pci').open(AT);
  using derived = ${machine}().open(AT);
  const [a, b] = [plain, derived].map(({ device, process }) => new DeviceClient(device, process));
  row('', 'vfio-pci', '${driver}');
  row('regions', a!.info().numRegions, b!.info().numRegions);
  row('revision', a!.readConfig(8, 1), b!.readConfig(8, 1));
}
`;
}

function testFile({ name, constant, machine }: DriverNames): string {
  return `import {
  describeDriver,
  describeOverride,
  describeRegionOps,
  StubOpening,
} from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { expect, test } from 'vitest';
import { AT, ${machine}, REVISION_OVERRIDE, SCRATCH_SIZE, scratchRegion, ${constant}, VENDOR } from '../src/index.js';

/** The function of machine.yaml: its ids have to be the driver's, and its BARs are what overrides stand in front of. */
const pdev = () => ${machine}().function(AT);

describeDriver('${name}', () => ({ driver: ${constant}, pdev: pdev() }));
describeRegionOps('scratch', () => ({
  ops: scratchRegion().ops,
  size: SCRATCH_SIZE,
  writable: true,
}));
describeOverride('revision', () => ({
  override: REVISION_OVERRIDE,
  device: new StubOpening(pdev()),
  regions: [],
}));

test('a user finds the scratch region by its type, and the revision of the emulation', () => {
  using user = ${machine}().open(AT);
  using client = new DeviceClient(user.device, user.process);
  expect(client.regionInfo(9).type).toEqual({ type: 0x80000000 + VENDOR, subtype: 1 });
  client.writeRegion(9, 0x10, Uint8Array.of(1, 2, 3));
  expect([...client.readRegion(9, 0x10, 4)]).toEqual([1, 2, 3, 0]);
  expect(client.readConfig(8, 1)).toBe(0x81);
});
`;
}
