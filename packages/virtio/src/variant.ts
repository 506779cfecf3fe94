import { NATIVE_DRIVERS, type NativeDriver, type Variant } from '@vfiokit/core';
import { DEV_PARTS_COMMANDS } from './admin-commands.js';
import { FakeVirtioPf } from './fake-virtio-pf.js';
import { registerVirtio } from './register.js';

/** Where VFs of the machine have their notifications, if they have this BAR. */
const NOTIFY = { bar: 4, offset: 0x100 } as const;

/** Parts of the state of each VF: as many as a fake device needs to have some. */
const PARTS = [0, 1, 3].map((type) => ({ type, value: new Uint8Array(64) }));

/** A PF under its own driver: its administration virtqueue moves its VFs, and serves legacy drivers of those that can be rung. */
const VIRTIO_PCI: NativeDriver = {
  name: 'virtio-pci',
  probe({ sriov, function: { vfBars } }) {
    if (sriov === undefined) return undefined;
    const pf = new FakeVirtioPf(
      vfBars[NOTIFY.bar] === undefined ? { commands: DEV_PARTS_COMMANDS } : { notify: NOTIFY },
    );
    for (let vf = 1; vf <= sriov.totalVfs; vf += 1) pf.member(vf).parts = [...PARTS];
    return pf;
  },
};

/** Joins every machine: `virtio_vfio_pci`, and an administration virtqueue for PFs that `virtio-pci` has. */
export const virtioVariant: Variant = (host) => {
  registerVirtio(host);
  host.register(NATIVE_DRIVERS, { useValue: VIRTIO_PCI });
};
