import type { Decision } from '../decision/decision.js';

/**
 * The part of a KubeVirt resource that permits devices. It selects by vendor and device, so every device of the same ids
 * is meant, whichever was asked for.
 */
export function emitKubevirt(decisions: readonly Decision[]): string {
  const selectors = new Set(
    decisions.flatMap(({ facts }) => {
      const ids = facts.find(({ name }) => name === 'ids')?.value;
      const match = /^0x(\w{4}):0x(\w{4})$/.exec(String(ids));
      return match === null ? [] : [`${match[1]}:${match[2]}`];
    }),
  );
  const devices = [...selectors].map(
    (selector) =>
      `        - pciVendorSelector: "${selector.toUpperCase()}"\n          resourceName: vfiokit/pci-${selector.replace(':', '-')}\n`,
  );
  return `apiVersion: kubevirt.io/v1\nkind: KubeVirt\nspec:\n  configuration:\n    permittedHostDevices:\n      pciHostDevices:\n${devices.join('')}`;
}
