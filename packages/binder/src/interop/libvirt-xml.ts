import { PciAddress } from '@vfiokit/pci';
import type { Decision } from '../decision/decision.js';
import { GENERIC_DRIVER } from '../policy/generic.js';

/**
 * `hostdev` elements for a domain, one for every device that is to be bound; `driver model` is named where it is not the
 * default (libvirt from 10.0.0).
 */
export function emitLibvirt(decisions: readonly Decision[]): string {
  const drivers = new Map<string, string | undefined>();
  for (const { request, chosen, targets } of decisions) {
    drivers.set(request.device, chosen?.driver ?? chosen?.name);
    for (const { device, driver, load } of targets) drivers.set(device, driver ?? load);
  }
  return [...drivers].map(([device, driver]) => hostdev(device, driver)).join('');
}

function hostdev(address: string, driver: string | undefined): string {
  const { domain, bus, device, function: number } = PciAddress.parse(address);
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  const model = driver === undefined || driver === GENERIC_DRIVER ? '' : ` model='${driver}'`;
  return `<hostdev mode='subsystem' type='pci' managed='yes'>
  <driver name='vfio'${model}/>
  <source>
    <address domain='${hex(domain, 4)}' bus='${hex(bus, 2)}' slot='${hex(device, 2)}' function='${hex(number, 1)}'/>
  </source>
</hostdev>
`;
}
