import { findDevice, readHost } from '@vfiokit/binder';
import { renderDma } from '@vfiokit/iommu';
import { PciAddress } from '@vfiokit/pci';
import { RecordedMachine, readTrace } from '@vfiokit/replay';
import { VfioError } from '@vfiokit/uapi';
import type { MachineChoice } from '../command.js';
import { UsageError } from '../command.js';
import { size } from '../output.js';
import { openChosen } from '../variants.js';
import { AssignedGuest } from './assigned-guest.js';
import { type GuestHost, type GuestWords, guestChoice } from './guest-choice.js';
import { type HostGroups, readHostGroups } from './host-groups.js';
import { shortNames } from './show-groups.js';

/** A device's DMA address space as a document, as text, and what there is to say about it. */
export interface InspectedDma {
  readonly document: unknown;
  readonly lines: readonly string[];
  readonly remarks: readonly string[];
}

/** A device, the group that it is in, and where. */
interface Subject extends HostGroups, GuestHost {
  readonly name: string;
}

/**
 * The address space that a device would get in a guest: on a machine, or on the one that a trace was recorded on.
 *
 * @throws VfioError ENODEV for a device that is not there or in no group, EOPNOTSUPP for a space that cannot serve the
 * usage model; UsageError for files that tell nothing of an IOMMU.
 */
export async function inspectDma(
  machine: MachineChoice,
  word: string,
  words: GuestWords & { readonly device?: string | undefined },
): Promise<InspectedDma> {
  const subject =
    PciAddress.tryParse(word) === undefined
      ? await tracedSubject(word, words.device)
      : await machineSubject(machine, word);
  const { name, groups, remarks } = subject;
  const [group] = groups;
  const choice = guestChoice(words, { ...subject, iommu: group?.iommu });
  const space = new AssignedGuest(groups, choice).assign(name);
  const { usage } = choice;
  const dma = space.snapshot();
  return {
    remarks,
    document: {
      device: name,
      group: group!.id,
      members: group!.members,
      reserved: group!.reserved,
      usage: { name: usage.name, sharedBy: usage.sharedBy, filledBy: usage.filledBy },
      ram: choice.ram,
      ...dma,
    },
    lines: [
      `${name}, group ${group!.id}${group!.members.length > 1 ? ` (${shortNames(group!.members)})` : ''}: ${usage.name}, a guest of ${size(choice.ram)}`,
      `  shared by ${usage.sharedBy}`,
      `  filled by ${usage.filledBy}`,
      ...renderDma(dma).split('\n'),
    ],
  };
}

async function machineSubject(choice: MachineChoice, word: string): Promise<Subject> {
  const { sysfs } = await openChosen(choice);
  const host = await readHost(sysfs);
  const device = findDevice(host, word);
  const { groups, remarks } = await readHostGroups(sysfs, host, [device]);
  return { name: device.name, groups, remarks, architecture: host.architecture.value };
}

async function tracedSubject(path: string, wanted: string | undefined): Promise<Subject> {
  if (!/\.jsonl(\.gz)?$/.test(path))
    throw new UsageError(`${path}: tells nothing of an IOMMU; --dma wants a device or a trace`);
  const trace = await readTrace(path);
  const { arch, pagesize, devices } = trace.meta;
  const index = wanted === undefined ? 0 : devices.findIndex(({ bdf }) => bdf === wanted);
  const name = devices[index]?.bdf;
  if (name === undefined)
    throw new VfioError(
      'ENODEV',
      `${path}: has no ${wanted}; it has ${devices.map(({ bdf }) => bdf).join(', ')}`,
    );
  const machine = new RecordedMachine(trace);
  const group = machine.groupOf(machine.devices[index]!.pdev);
  if (group?.iommu === undefined)
    throw new VfioError('ENODEV', `${name}: in no IOMMU group; the machine has no IOMMU`);
  const { id, members, iommu, reserved } = group;
  return {
    name,
    architecture: arch,
    hostPage: pagesize,
    groups: [{ id, members: [...members], iommu, reserved }],
    remarks: [`${path}: recorded on Linux ${trace.meta.kernel}, ${arch}`],
  };
}
