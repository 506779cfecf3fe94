import type { Decision } from '../decision/decision.js';
import { GENERIC_DRIVER } from '../policy/generic.js';

/**
 * The part of a KubeVirt resource that permits devices. It selects by vendor and device, so every device of the same ids
 * is meant, whichever was asked for. KubeVirt's own device plugin looks at devices on vfio-pci alone
 * (device-manager/pci_device.go: discoverPermittedHostPCIDevices): those on another driver need a plugin of their own.
 */
export function emitKubevirt(decisions: readonly Decision[]): string {
  const drivers = new Map<string, string | undefined>();
  for (const { facts, chosen } of decisions) {
    const ids = facts.find(({ name }) => name === 'ids')?.value;
    const match = /^0x(\w{4}):0x(\w{4})$/.exec(String(ids));
    if (match !== null) drivers.set(`${match[1]}:${match[2]}`, chosen?.driver ?? chosen?.name);
  }
  const devices = [...drivers].map(
    ([selector, driver]) =>
      `        - pciVendorSelector: "${selector.toUpperCase()}"
          resourceName: vfiokit/pci-${selector.replace(':', '-')}
${driver === GENERIC_DRIVER ? '' : `          externalResourceProvider: true # KubeVirt finds what is on ${GENERIC_DRIVER} alone, not on ${driver ?? 'its own driver'}\n`}`,
  );
  return `apiVersion: kubevirt.io/v1\nkind: KubeVirt\nspec:\n  configuration:\n    permittedHostDevices:\n      pciHostDevices:\n${devices.join('')}`;
}
