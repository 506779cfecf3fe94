import {
  DIRTY_LOG,
  MIGRATION,
  openFunction,
  registerCore,
  VFIO_PCI,
  VFIO_PCI_DRIVERS,
  VfioPci,
  type VfioPciDriver,
} from '@vfiokit/core';
import { GENERIC_IOMMU, IommuGroups, registerIommu } from '@vfiokit/iommu';
import { type PciDevice, type PciIdPattern, pciAlias } from '@vfiokit/pci';
import { VFIO_DEVICE_FEATURE_DMA_BUF, type VfioDevice } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { hisiAccDriver, ismDriver, pdsDriver, XE_VFIO_PCI } from '../src/index.js';
import { bringing, IDS } from './bringing.js';
import { open, pfOf, vfOf } from './pf-with-vf.js';

describe('registering a driver', () => {
  const bind = (pdev: PciDevice, driver: VfioPciDriver) => {
    const host = root.createChildContainer();
    registerIommu(host);
    registerCore(host);
    host.register(VFIO_PCI_DRIVERS, { useValue: driver });
    const group = host.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
    group.members.add(pdev.name);
    return () => host.resolve(VfioPci).bind(pdev, group, driver.name);
  };

  it("takes no function whose driver data is somebody else's", () => {
    const pdev = pfOf(IDS);
    pdev.driverData = {};
    expect(
      bind(
        pdev,
        bringing(() => {}),
      ),
    ).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  });

  it('[derived:10] takes no bridge and no driver without a name', () => {
    const bridge = Object.create(pfOf(IDS), { headerType: { value: 1 } }) as PciDevice;
    expect(
      bind(
        bridge,
        bringing(() => {}),
      ),
    ).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(bind(pfOf(IDS), { ...bringing(() => {}), name: '' })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('[derived:11 derived:12] takes no half of a migration or of a log', () => {
    const half = (token: typeof MIGRATION | typeof DIRTY_LOG, ops: object) =>
      bind(
        pfOf(IDS),
        bringing((container) => container.register(token as symbol, { useValue: ops })),
      );
    expect(half(MIGRATION, { support: {}, arc: () => undefined })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(half(MIGRATION, { support: {}, dataSize: () => 0n })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    const log = { start: () => 0n, stop: () => 0, readAndClear: () => 0 };
    expect(half(DIRTY_LOG, log)).not.toThrow();
    for (const missing of Object.keys(log))
      expect(half(DIRTY_LOG, { ...log, [missing]: undefined })).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
  });

  it('[derived:13] takes no PF that has VFs', () => {
    const { physfn } = vfOf(IDS, undefined);
    expect(
      bind(
        physfn!,
        bringing(() => {}),
      ),
    ).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  });

  it('[derived:5 derived:6] gives ids an alias of their own, with the most wildcards for the catch-all', () => {
    const alias = (id: PciIdPattern) => pciAlias({ ...id, overrideOnly: true });
    expect(alias({ vendor: 0x15b3, device: 0x101e })).toBe(
      'vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*',
    );
    expect(VFIO_PCI.ids.map(alias)).toEqual(['vfio_pci:v*d*sv*sd*bc*sc*i*']);
  });

  it('[derived:8] refuses what is on the list, unless the list is off', () => {
    const denied = { vendor: 0x8086, device: 0x37c8 };
    const attempt = (disable_denylist: boolean) => () =>
      openFunction(pfOf(denied), { parameters: { disable_denylist } })[Symbol.dispose]();
    expect(attempt(false)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(attempt(true)).not.toThrow();
  });

  it.each([hisiAccDriver(() => {}), pdsDriver(() => {}), XE_VFIO_PCI, ismDriver(() => undefined)])(
    '[derived:49] lends no memory under $name',
    ({ dmaBuf }) => {
      expect(dmaBuf).toBe(false);
    },
  );

  it('[derived:49] lends memory only under drivers that say so', () => {
    using plain = openFunction(pfOf(IDS));
    using variant = open(
      pfOf(IDS),
      bringing(() => {}),
    );
    const probe = (device: VfioDevice) => {
      const bytes = new Uint8Array(8);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 8, true);
      view.setUint32(4, 0x50000 + VFIO_DEVICE_FEATURE_DMA_BUF, true);
      return device.ioctl(0x3b75, bytes, undefined as never);
    };
    expect([probe(plain.device), probe(variant.device)]).toEqual([0, -95]);
  });
});
