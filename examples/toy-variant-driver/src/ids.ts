/** PCI ids of the functions that the driver is for; machine.yaml has one with them. */
export const VENDOR = 0x1234;
export const DEVICE = 0x0001;
