import { VfioError } from '@vfiokit/uapi';
import { NO_RESOURCE, PciResource } from '../host/pci-resource.js';

const LINE = /^(0x[0-9a-f]{1,16})\s+(0x[0-9a-f]{1,16})\s+(0x[0-9a-f]{1,16})$/i;

/**
 * Reads sysfs's `resource`: a line each for BARs 0 to 5, the ROM, and what else the kernel shows (VF BARs, bridge
 * windows), as start, end and flags in hexadecimal.
 *
 * Throws VfioError EINVAL, with the number of the line, for anything else.
 */
export function readSysfsResource(text: string, subject: string): PciResource[] {
  const lines = text.split('\n').map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  return lines.map((line, index) => {
    const match = LINE.exec(line);
    const [start, end, flags] = (match?.slice(1) ?? []).map(BigInt);
    if (start === undefined || end === undefined || flags === undefined)
      throw new VfioError(
        'EINVAL',
        `${subject}: line ${index + 1}: "${line}" is not a start, an end and flags in hexadecimal`,
      );
    if (end < start)
      throw new VfioError('EINVAL', `${subject}: line ${index + 1}: ends before it starts`);
    if (flags === 0n && end === 0n) return NO_RESOURCE;
    return new PciResource(start, Number(end - start + 1n), Number(flags & 0xffffffffn));
  });
}
