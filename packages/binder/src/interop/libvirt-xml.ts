import { PciAddress } from '@vfiokit/pci';
import type { Decision } from '../decision/decision.js';
import { GENERIC_DRIVER } from '../policy/generic.js';

/** `hostdev` elements for a domain; `driver model` is named where it is not the default (libvirt from 10.0.0). */
export function emitLibvirt(decisions: readonly Decision[]): string {
  return decisions.map(hostdev).join('');
}

function hostdev({ request, chosen }: Decision): string {
  const { domain, bus, device, function: number } = PciAddress.parse(request.device);
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  const driver = chosen?.driver ?? chosen?.name;
  const model = driver === undefined || driver === GENERIC_DRIVER ? '' : ` model='${driver}'`;
  return `<hostdev mode='subsystem' type='pci' managed='yes'>
  <driver name='vfio'${model}/>
  <source>
    <address domain='${hex(domain, 4)}' bus='${hex(bus, 2)}' slot='${hex(device, 2)}' function='${hex(number, 1)}'/>
  </source>
</hostdev>
`;
}
