import type { ConfigRegister, DeviceOverride } from '@vfiokit/core';

const PCI_REVISION_ID = 0x08;
/** Tells the guest's driver that it is not alone with the hardware. */
const EMULATED = 0x80;

/** The revision, with its top bit set. Everything that is not named here stays the core's, and costs nothing. */
const revision: ConfigRegister = {
  name: 'revision',
  offset: PCI_REVISION_ID,
  length: 1,
  read(offset, size, next) {
    const value = next.read(offset, size);
    return value < 0 ? value : value | EMULATED;
  },
  write: (offset, size, value, next) => next.write(offset, size, value),
};

export const REVISION_OVERRIDE: DeviceOverride = { configRegisters: () => [revision] };
