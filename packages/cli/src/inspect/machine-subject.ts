import { type DeviceFacts, findDevice } from '@vfiokit/binder';
import { type OpenFunctionOptions, openFunction } from '@vfiokit/core';
import type { Machine, OpenedMachine } from '@vfiokit/host';
import {
  type FunctionDescription,
  PCI_ROM_RESOURCE,
  readSysfsConfig,
  readSysfsResource,
  resourceBars,
} from '@vfiokit/pci';
import { EACCES, ENOENT, errnoName, type Process, type VfioDevice, VfioError } from '@vfiokit/uapi';
import { type BindingMachine, openBinding } from '../binding/machine.js';
import { planOptions } from '../binding/plan-options.js';
import type { MachineChoice } from '../command.js';
import { machineOptions } from '../variants.js';
import { compareInspections } from './comparison.js';
import { type Inspection, inspectDevice } from './inspection.js';
import { type Inspected, inspectDescription } from './subject.js';

const NO_ID = 0xffff;

const PLAIN = 'vfio-pci';

/**
 * Opens a device of a machine. A modelled one is opened where it is; of a real or captured one the bytes that sysfs
 * shows are opened elsewhere: nothing is touched. What no VFIO driver has is shown as the one would that a plan chooses.
 *
 * @param driver shows it as this VFIO driver would, whoever has it now.
 * @throws VfioError ENODEV for a device that the machine does not have; what reading or opening it fails with.
 */
export async function inspectMachine(
  choice: MachineChoice,
  word: string,
  driver?: string,
): Promise<Inspected> {
  const opened = await openBinding(choice);
  const facts = findDevice(opened.input.host, word);
  const { inspection, remarks } =
    opened.machine === undefined
      ? await inspectFiles(opened, facts, driver)
      : await inspectModel(opened, opened.machine, facts, { wanted: driver, choice });
  const { value } = facts.group;
  const group = typeof value === 'string' ? Number(value) : value;
  return {
    inspection: { ...inspection, group },
    remarks,
  };
}

async function inspectModel(
  opened: BindingMachine,
  machine: Machine,
  facts: DeviceFacts,
  { wanted, choice }: { wanted: string | undefined; choice: MachineChoice },
): Promise<Inspected> {
  const { name } = facts;
  const current = facts.driver.value;
  if (facts.vfioDevices.length > 0 && (wanted === undefined || wanted === current)) {
    return { inspection: besidePlain(inspectOpen(machine.open(name)), machine, name), remarks: [] };
  }
  const driver = wanted ?? chosenDriver(opened, name);
  const { register } = await machineOptions(choice.variants);
  const inspection = inspectAlone(machine, name, {
    driver,
    register: (host) => register?.(host, machine.description),
  });
  return {
    inspection: besidePlain(inspection, machine, name),
    remarks: wanted === undefined ? [shownAs(facts, driver)] : [],
  };
}

/** Opens a function of a model by itself; whoever has it lets go of it, and nobody sees the model afterwards. */
function inspectAlone(machine: Machine, name: string, options: OpenFunctionOptions): Inspection {
  const pdev = machine.function(name);
  const bound = machine.vfio.device(pdev);
  if (bound !== undefined) machine.vfio.unbind(bound);
  pdev.driverData = undefined;
  return inspectOpen(openFunction(pdev, options));
}

function inspectOpen(
  user: Disposable & { readonly device: VfioDevice; readonly process: Process },
): Inspection {
  using open = user;
  return inspectDevice(open.device, open.process);
}

/** Adds what the core alone would show otherwise: no variant driver, no extension of the machine. */
function besidePlain(inspection: Inspection, machine: Machine, name: string): Inspection {
  const plain = inspectAlone(machine, name, {});
  return { ...inspection, brings: compareInspections(plain, inspection) };
}

/** What a plan would bind it to, whether it may be bound or not. */
function chosenDriver({ planner, input }: BindingMachine, name: string): string {
  return planner.plan(name, input, planOptions({})).chosen?.driver ?? PLAIN;
}

function shownAs({ name, driver }: DeviceFacts, shown: string): string {
  const more = shown === PLAIN ? '' : `; --driver ${PLAIN} shows what it is without it`;
  return `${name}: on ${driver.value ?? 'no driver'}; shown as ${shown} would${more}`;
}

async function inspectFiles(
  { sysfs, name: machine }: OpenedMachine,
  facts: DeviceFacts,
  driver = PLAIN,
): Promise<Inspected> {
  const { path, name, ids } = facts;
  if (driver !== PLAIN)
    throw new VfioError(
      'EINVAL',
      `${name}: of ${machine} there are only files, which ${PLAIN} alone can be shown with; a described machine has drivers`,
    );
  const bytes = await sysfs.read(`${path}/config`);
  if (typeof bytes === 'number')
    throw new VfioError(
      bytes === -EACCES ? 'EACCES' : 'ENOENT',
      bytes === -ENOENT
        ? `${name}: ${machine} has no configuration space of it; take a capture that has, such as vfiokit capture writes`
        : `${path}/config: cannot be read: ${errnoName(-bytes)}`,
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
      ...(facts.vfioDevices.length > 0 ? [] : [shownAs(facts, PLAIN)]),
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
