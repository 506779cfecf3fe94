import { NATIVE_DRIVERS, type NativeDriver, type Variant } from '@vfiokit/core';
import { FakeFirmware } from './firmware/fake-firmware.js';
import { FakeVhca } from './firmware/fake-vhca.js';
import { ByteMemory } from './firmware/vhca-image.js';
import { Mlx5Core } from './mlx5-core.js';
import { registerMlx } from './register.js';

/** Bytes of a VF's state. */
const STATE_SIZE = 64 * 1024;

/** A PF under its own driver: with a firmware that can migrate each of its VFs. */
const MLX5_CORE: NativeDriver = {
  name: 'mlx5_core',
  probe({ sriov }) {
    if (sriov === undefined) return undefined;
    const firmware = new FakeFirmware();
    for (let vf = 1; vf <= sriov.totalVfs; vf += 1)
      firmware.addFunction(
        vf,
        new FakeVhca({ memory: new ByteMemory(new Uint8Array(STATE_SIZE)) }),
      );
    return new Mlx5Core({ commands: firmware });
  },
};

/** Joins every machine: `mlx5_vfio_pci`, and fake firmware for PFs that `mlx5_core` has. */
export const mlxVariant: Variant = (host) => {
  registerMlx(host);
  host.register(NATIVE_DRIVERS, { useValue: MLX5_CORE });
};
