import { describe, expect, test } from 'vitest';
import { EINVAL } from '../support/errno.js';
import { ARENA, TestHost } from '../support/host.js';

/** Fixed part, migration, DMA avail, and two ranges. */
const NEEDED = 24 + 32 + 16 + 16 + 2 * 16;
const MSI = [{ start: 0xfee00000n, end: 0xfeefffffn, type: 'msi' }] as const;

const x86 = () => {
  const host = new TestHost();
  return host.ready(3, host.device({ reserved: MSI }));
};

describe('VFIO_IOMMU_GET_INFO of type1', () => {
  test('[iommu:90] wants room for the page sizes', () => {
    expect(x86().info(15).ret).toBe(EINVAL);
  });

  test('[iommu:91] writes no more than there is room for', () => {
    const { ret, bytes } = (() => {
      const container = x86();
      const argument = new Uint8Array(24).fill(0xaa);
      const view = new DataView(argument.buffer);
      view.setUint32(0, 16, true);
      return { ret: container.ioctl(0x3b70, argument), bytes: view };
    })();
    expect(ret).toBe(0);
    expect(bytes.getUint32(0, true)).toBe(NEEDED);
    expect(bytes.getUint32(16, true)).toBe(0xaaaaaaaa);
  });

  test('[iommu:92] tells how much room the capabilities take, and delivers none', () => {
    const { ret, bytes } = x86().info(24);
    expect([
      ret,
      bytes.getUint32(0, true),
      bytes.getUint32(4, true),
      bytes.getUint32(16, true),
    ]).toEqual([0, NEEDED, 3, 0]);
  });

  test('[iommu:93] delivers them all where there is room', () => {
    const container = x86();
    const { bytes } = container.info(NEEDED);
    expect([bytes.getUint32(0, true), bytes.getUint32(16, true)]).toEqual([NEEDED, 24]);
    const offsets: number[] = [];
    for (let at = 24; at !== 0; at = bytes.getUint32(at + 4, true)) offsets.push(at);
    expect(offsets).toEqual([24, 56, 72]);
    expect(container.capabilities()).toEqual([2, 3, 1]);
  });

  test('[iommu:94 iommu:95] has no ranges and all page sizes for emulated groups alone', () => {
    const host = new TestHost();
    const container = host.ready(3, host.emulated());
    expect(container.capabilities()).toEqual([2, 3]);
    expect(container.pageSizes()).toBe(0xfffffffffffff000n);
  });

  test('[iommu:96] shows no page smaller than the CPU’s', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device({ caps: { pageSizes: 0x200200n } }));
    expect(container.pageSizes()).toBe(0x201000n);
  });

  test('[iommu:97] shows the pages that all domains can map', () => {
    const host = new TestHost();
    const container = host.ready(
      3,
      host.device({ caps: { pageSizes: 0x201000n } }),
      host.device({ caps: { pageSizes: 0x11000n } }),
    );
    expect(container.pageSizes()).toBe(0x1000n);
  });

  test('[iommu:98] counts down how many mappings can be made', () => {
    const container = x86();
    const counts = [container.available()];
    for (let i = 0; i < 3; i += 1) container.map(i * 0x1000, ARENA, 0x1000);
    counts.push(container.available());
    container.unmap(0, 0, { flags: 2 });
    counts.push(container.available());
    expect(counts).toEqual([65535, 65532, 65535]);
  });

  test('[iommu:99] tracks dirty pages by the smallest page, in bitmaps of up to 256 MiB', () => {
    const { bytes } = x86().info(NEEDED);
    expect(bytes.getUint16(24, true)).toBe(2);
    expect(bytes.getBigUint64(24 + 16, true)).toBe(0x1000n);
    expect(bytes.getBigUint64(24 + 24, true)).toBe(0x10000000n);
  });

  test('[iommu:100] leaves the interrupt window of x86 out of the ranges', () => {
    expect(x86().ranges()).toEqual(['0-fedfffff', 'fef00000-ffffffffffff']);
  });

  test('shows one range of everything once the last IOMMU has left emulated groups behind', () => {
    const host = new TestHost();
    const physical = host.device();
    const container = host.ready(3, host.emulated(), physical);
    container.group(physical).group.unsetContainer();
    expect(container.ranges()).toEqual(['0-ffffffffffffffff']);
  });
});
