import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { buildConfig, type ConfigLiteral } from '../src/index.js';

const plug = (literal: Partial<ConfigLiteral> = {}): PciDevice =>
  new PciTopology().add('0000:00:03.0', {
    config: buildConfig({ vendor: 0x15b3, device: 0x101d, ...literal }),
    bars: [{ kind: 'memory', size: 0x1000 }],
  });

describe('a configuration space as a literal', () => {
  it('is one of an endpoint that can be reset', () => {
    const pdev = plug({ class: 0x020000, revision: 5, subsystemDevice: 7 });
    expect([pdev.vendor, pdev.device, pdev.class, pdev.revision]).toEqual([
      0x15b3, 0x101d, 0x020000, 5,
    ]);
    expect([pdev.subsystemVendor, pdev.subsystemDevice]).toEqual([0x15b3, 7]);
    expect([pdev.isPcie, pdev.config.size]).toEqual([true, 4096]);
    expect(pdev.resetMethods.map(({ name }) => name)).toContain('flr');
  });

  it('has as many MSI-X vectors as it says', () => {
    expect(plug().findCapability(0x11)).toBe(0);
    const pdev = plug({ msix: { vectors: 16, bar: 0 } });
    const at = pdev.findCapability(0x11);
    expect(pdev.config.read(at + 2, 2)).toBe(15);
  });

  it('links extended capabilities in the order in which they stand', () => {
    const pdev = plug({
      extended: [
        { id: 0x23, body: Uint8Array.of(1, 2, 3, 4, 5) },
        { id: 0x0b, version: 2, body: new Uint8Array(8) },
      ],
    });
    expect(pdev.findExtendedCapability(0x23)).toBe(0x100);
    expect(pdev.findExtendedCapability(0x0b)).toBe(0x10c);
    expect(pdev.config.read(0x10c, 4)).toBe(0x0002000b);
    expect(pdev.config.read(0x108, 1)).toBe(5);
  });

  it('has VFs', () => {
    const pdev = plug({ sriov: { totalVfs: 8, numVfs: 0, vfDevice: 0x101e } });
    expect(pdev.sriov).toMatchObject({ totalVfs: 8, numVfs: 0, vfDevice: 0x101e });
  });
});
