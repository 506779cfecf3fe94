import { VfioError } from '@vfiokit/uapi';
import { PCI_CFG_SPACE_EXP_SIZE, PCI_CFG_SPACE_SIZE } from '../regs/index.js';
import {
  type CapabilityProblem,
  walkCapabilities,
  walkExtendedCapabilities,
} from '../silicon/capability-walk.js';
import type { FunctionDescription } from '../silicon/function-description.js';

/** A function as somebody captured its configuration space. */
export interface CapturedConfig {
  readonly description: FunctionDescription;
  /** The capture ends before the configuration space does. */
  readonly truncated: boolean;
  /** What is wrong with the capability lists, as far as they were captured. */
  readonly problems: readonly CapabilityProblem[];
}

const HEADER_SIZE = 64;

/**
 * Reads sysfs's `config`: 4096 or 256 bytes, or the first 64, which is all that the kernel shows to unprivileged users.
 * Another length is a copy that was cut off, which is reported.
 *
 * Throws VfioError EINVAL for less than a header, and for more than 4096 bytes.
 *
 * @param subject whose it is, for messages: a file or an address.
 */
export function readSysfsConfig(bytes: Uint8Array, subject: string): CapturedConfig {
  if (bytes.length < HEADER_SIZE)
    throw new VfioError(
      'EINVAL',
      `${subject}: configuration space of ${bytes.length} bytes; a header has 64`,
    );
  if (bytes.length > PCI_CFG_SPACE_EXP_SIZE)
    throw new VfioError(
      'EINVAL',
      `${subject}: configuration space of ${bytes.length} bytes; there are no more than 4096`,
    );
  const complete = bytes.length === PCI_CFG_SPACE_SIZE || bytes.length === PCI_CFG_SPACE_EXP_SIZE;
  const problems = [
    ...walkCapabilities(bytes).problems,
    ...(bytes.length > PCI_CFG_SPACE_SIZE ? walkExtendedCapabilities(bytes).problems : []),
  ];
  return {
    description: {
      config: bytes,
      configSize: bytes.length > PCI_CFG_SPACE_SIZE ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE,
    },
    truncated: !complete,
    problems,
  };
}
