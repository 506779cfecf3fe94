import {
  PCI_CAP_ID_AF,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PCIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VPD,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_PWR,
  walkCapabilities,
  walkExtendedCapabilities,
} from '@vfiokit/pci';
import type { RecordedMachine } from '../machine/recorded-machine.js';
import type { Difference, Mismatch } from './difference.js';

/** A reason for which a difference is no fault of the model's: something that the model can't know. */
export interface Explanation {
  readonly id: string;
  readonly reason: string;
  /** Looks at the structure of a difference, never at which device it was. */
  applies(difference: Difference, machine: RecordedMachine): boolean;
}

const CONFIG_REGION = 7;
const BARS = 6;
const EXTENDED_START = 0x100;
/** Capabilities with registers that the kernel or the model answers for itself. */
const MODELLED = new Set([
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VPD,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_PCIX,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_AF,
]);
const MODELLED_EXTENDED = new Set([PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_PWR]);
const HEADER_END = 0x40;
const MODELLED_MOST = 0x50;
/** VFIO_DEVICE_IOEVENTFD_64, and no other width. */
const WIDE_IOEVENTFD = 8;

/** Whether a configuration byte belongs to the device alone: nobody but it knows what the register does. */
function isDevicesOwn(config: Uint8Array, offset: number): boolean {
  if (offset < HEADER_END) return false;
  const { capabilities } =
    offset < EXTENDED_START ? walkCapabilities(config) : walkExtendedCapabilities(config);
  const modelled = offset < EXTENDED_START ? MODELLED : MODELLED_EXTENDED;
  const owner = capabilities
    .filter(({ at }) => at <= offset && offset < at + MODELLED_MOST)
    .reduce<(typeof capabilities)[number] | undefined>(
      (nearest, other) => (nearest === undefined || other.at > nearest.at ? other : nearest),
      undefined,
    );
  return owner === undefined || !modelled.has(owner.id);
}

/** The device that a mismatch is about. */
function deviceOf({ op }: Difference, { dev }: Mismatch, machine: RecordedMachine) {
  return machine.devices[dev ?? (op as { dev?: number }).dev ?? 0]!;
}

/** All mismatches are of bytes in configuration space that are the device's own. */
function onlyDevicesOwn(difference: Difference, machine: RecordedMachine): boolean {
  const { op, mismatches } = difference;
  return mismatches.every((mismatch) => {
    const { aspect, offsets = [] } = mismatch;
    const start = aspect === 'out' && op.op === 'pread' && op.r === CONFIG_REGION ? op.o : 0;
    if (aspect !== 'hw' && start === 0) return false;
    const { bytes } = deviceOf(difference, mismatch, machine).pdev.function.config;
    return offsets.every((offset) => isDevicesOwn(bytes, start + offset));
  });
}

const is =
  (...aspects: readonly Mismatch['aspect'][]) =>
  ({ mismatches }: Difference) =>
    mismatches.every(({ aspect }) => aspects.includes(aspect));

/** The rules by which differences are explained, the first that applies. They stand in test/conformance/differences.md too. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    id: 'device-register',
    reason:
      'a register of the device in vendor-specific or unowned configuration space, or in a capability that passes through, changed by itself or answers by access width',
    applies: (difference, machine) =>
      (difference.op.op === 'pread' || difference.op.op === 'pwrite') &&
      difference.op.r === CONFIG_REGION &&
      onlyDevicesOwn(difference, machine),
  },
  {
    id: 'after-reset',
    reason: 'what a reset leaves in registers of the device that the PCI core does not restore',
    applies: (difference, machine) =>
      difference.mismatches.every((one) => deviceOf(difference, one, machine).plan.wasReset) &&
      onlyDevicesOwn(difference, machine),
  },
  {
    id: 'bar-register',
    reason:
      'a register behind a BAR that does not hold what was written to it or read from it before',
    applies: (difference, machine) => {
      const { op, mismatches } = difference;
      if (!is('out', 'byte')(difference) || (op.op !== 'pread' && op.op !== 'mmap')) return false;
      const block = op.r < BARS ? machine.devices[op.dev]!.plan.blocks[op.r] : undefined;
      return mismatches.every(({ offsets = [0] }) =>
        offsets.every((offset) => block?.lives(op.o + offset) === true),
      );
    },
  },
  {
    id: 'older-kernel',
    reason:
      'recorded on Linux 6.12, whose PCI core forgets the power state of a function that is taken from its driver',
    applies: (difference, { trace }) =>
      is('ps')(difference) &&
      trace.meta.kernel.startsWith('6.12.') &&
      difference.mismatches.every(({ recorded }) => recorded === 'unknown'),
  },
  {
    id: 'wide-ioeventfd',
    reason:
      'ioeventfds of 8 bytes exist on architectures that define iowrite64, of which x86 is none',
    applies: (difference, { trace }) => {
      const { op } = difference;
      const isWide = op.op === 'ioctl' && op.cmd === 'IOEVENTFD' && op.flags === WIDE_IOEVENTFD;
      return isWide && is('ret')(difference) && trace.meta.arch !== 'x86_64';
    },
  },
];

/** The id of the first rule that explains a difference. */
export function explain(difference: Difference, machine: RecordedMachine): string | undefined {
  return EXPLANATIONS.find((rule) => rule.applies(difference, machine))?.id;
}
