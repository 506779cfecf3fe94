import { PciAddress } from '@vfiokit/pci';
import type { Decision } from '../decision/decision.js';
import { GENERIC_DRIVER } from '../policy/generic.js';

/** What a `hostdev` says of a device's driver. */
interface HostdevDriver {
  readonly model: string | undefined;
  /** libvirt binds it and gives it back. */
  readonly managed: boolean;
}

/**
 * `hostdev` elements for a domain, one for every device that is to be bound. `driver model` (libvirt from 10.0.0) is left
 * out only for vfio-pci, and only where libvirt is known to choose that by itself. A device whose own driver provides its
 * VFIO device is not managed: libvirt would take it away from that driver.
 */
export function emitLibvirt(decisions: readonly Decision[]): string {
  const hostdevs = new Map<string, HostdevDriver>();
  for (const { targets } of decisions)
    for (const { device, driver, load } of targets)
      hostdevs.set(device, { model: driver ?? load, managed: true });
  for (const { request, chosen, outcome, libvirtExact } of decisions) {
    const driver = chosen?.driver ?? chosen?.name;
    const isDefault = driver === GENERIC_DRIVER && libvirtExact.driver === GENERIC_DRIVER;
    hostdevs.set(request.device, {
      model: isDefault ? undefined : driver,
      managed: outcome !== 'already-provided',
    });
  }
  return [...hostdevs].map(([device, driver]) => hostdev(device, driver)).join('');
}

function hostdev(address: string, { model, managed }: HostdevDriver): string {
  const { domain, bus, device, function: number } = PciAddress.parse(address);
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  const named = model === undefined ? '' : ` model='${model}'`;
  return `<hostdev mode='subsystem' type='pci' managed='${managed ? 'yes' : 'no'}'>
  <driver name='vfio'${named}/>
  <source>
    <address domain='${hex(domain, 4)}' bus='${hex(bus, 2)}' slot='${hex(device, 2)}' function='${hex(number, 1)}'/>
  </source>
</hostdev>
`;
}
