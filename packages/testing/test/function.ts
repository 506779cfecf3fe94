import { type BarDescription, type PciDevice, PciTopology } from '@vfiokit/pci';
import { buildConfig } from '../src/build-config.js';

/** A function for extensions to be tried on: BAR 0 has 64 KiB. */
export function plugFunction(): PciDevice {
  const bars: readonly BarDescription[] = [{ kind: 'memory', size: 0x10000 }];
  return new PciTopology().add('0000:00:03.0', {
    config: buildConfig({ vendor: 0x1234, device: 0x11e8 }),
    bars,
  });
}
