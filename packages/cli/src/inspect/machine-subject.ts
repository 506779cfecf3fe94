import { type DeviceFacts, findDevice, readHost } from '@vfiokit/binder';
import { openFunction } from '@vfiokit/core';
import { type Machine, type OpenedMachine, openMachine } from '@vfiokit/host';
import {
  type FunctionDescription,
  PCI_ROM_RESOURCE,
  readSysfsConfig,
  readSysfsResource,
  resourceBars,
} from '@vfiokit/pci';
import { EACCES, errnoName, VfioError } from '@vfiokit/uapi';
import { registerVariants } from '../variants.js';
import { type Inspection, inspectDevice } from './inspection.js';
import { type Inspected, inspectDescription } from './subject.js';

const NO_ID = 0xffff;

/**
 * Opens a device of a machine. A modelled one is opened where it is; of a real or captured one the bytes that sysfs
 * shows are opened elsewhere: nothing is touched. What no VFIO driver has is shown as vfio-pci would.
 *
 * @throws VfioError ENODEV for a device that the machine does not have; what reading or opening it fails with.
 */
export async function inspectMachine(machineName: string, word: string): Promise<Inspected> {
  const opened = await openMachine(machineName, { register: registerVariants });
  const facts = findDevice(await readHost(opened.sysfs), word);
  const { inspection, remarks } =
    opened.machine === undefined
      ? await inspectFiles(opened, facts)
      : inspectModel(opened.machine, facts);
  const group = facts.group.value;
  return {
    inspection: { ...inspection, group: group ? Number(group) : undefined },
    remarks:
      facts.vfioDevices.length > 0
        ? remarks
        : [
            `${facts.name}: on ${facts.driver.value ?? 'no driver'}; shown as vfio-pci would`,
            ...remarks,
          ],
  };
}

function inspectModel(machine: Machine, { name, vfioDevices }: DeviceFacts): Inspected {
  return { inspection: vfioDevices.length > 0 ? asItIs() : asItWouldBe(), remarks: [] };

  function asItIs(): Inspection {
    using user = machine.open(name);
    return inspectDevice(user.device, user.process);
  }

  function asItWouldBe(): Inspection {
    using opened = openFunction(machine.function(name), {
      register: (host) => registerVariants(host, machine.description),
    });
    return inspectDevice(opened.device, opened.process);
  }
}

async function inspectFiles({ sysfs }: OpenedMachine, facts: DeviceFacts): Promise<Inspected> {
  const { path, name, ids } = facts;
  const bytes = await sysfs.read(`${path}/config`);
  if (typeof bytes === 'number')
    throw new VfioError(
      bytes === -EACCES ? 'EACCES' : 'ENOENT',
      `${path}/config: cannot be read: ${errnoName(-bytes)}`,
    );
  const { description, truncated, problems } = readSysfsConfig(bytes, name);
  const resource = await sysfs.read(`${path}/resource`);
  const identified = withIds(description, ids.value);
  return {
    inspection: inspectDescription(
      name,
      typeof resource === 'number'
        ? identified
        : { ...identified, ...sizes(new TextDecoder().decode(resource), `${path}/resource`) },
    ),
    remarks: [
      ...(truncated
        ? [
            `${name}: sysfs shows ${bytes.length} bytes; as root it shows all, the rest is taken to be zero`,
          ]
        : []),
      ...problems.map(({ at, problem }) => `${name}: 0x${at.toString(16)}: ${problem}`),
    ],
  };
}

/** What lies behind the base address registers is not known, but how much. */
function sizes(text: string, subject: string): Partial<FunctionDescription> {
  const resources = readSysfsResource(text, subject);
  const rom = resources[PCI_ROM_RESOURCE]?.length ?? 0;
  return { bars: resourceBars(resources), ...(rom === 0 ? {} : { rom }) };
}

/** The registers of a VF do not hold its IDs; the kernel knows them of its PF. */
function withIds(
  description: FunctionDescription,
  ids: { readonly vendor: number; readonly device: number } | undefined,
): FunctionDescription {
  const config = description.config.slice();
  const view = new DataView(config.buffer);
  if (ids === undefined || view.getUint16(0, true) !== NO_ID) return description;
  view.setUint16(0, ids.vendor, true);
  view.setUint16(2, ids.device, true);
  return { ...description, config };
}
