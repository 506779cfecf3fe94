/** The D-states of a function as the kernel numbers them (include/linux/pci.h: pci_power_t). */
export const PCI_D0 = 0;
export const PCI_D1 = 1;
export const PCI_D2 = 2;
export const PCI_D3hot = 3;
export const PCI_D3cold = 4;
/** Not yet probed; compares greater than every real state. */
export const PCI_UNKNOWN = 5;

const NAMES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold', 'unknown'] as const;

/** What sysfs shows in `power_state`. */
export function powerStateName(state: number): string {
  return NAMES[state] ?? 'error';
}
