import { readFileSync } from 'node:fs';
import { KERNEL_QUIRKS } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { EINVAL } from '../support/errno.js';
import { ARENA } from '../support/host.js';
import { MOCK_PAGE, MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;

describe('the kernel’s oddities', () => {
  test('are all on by default, which is what the kernel does', () => {
    expect(new Set(Object.values(KERNEL_QUIRKS))).toEqual(new Set([true]));
  });

  test('are the ones that docs/quirks.md names', () => {
    const list = readFileSync(new URL('../../../../docs/quirks.md', import.meta.url), 'utf8');
    const named = [...list.matchAll(/^\| D\d+ .*\| `(\w+)` +\|$/gm)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(KERNEL_QUIRKS));
  });

  test('D8: dirty bits are read over holes and without tracking, unless the quirk is off', () => {
    const read = [true, false].map((dirtyReadIgnoresErrors) => {
      const { iommufd, ...mock } = prepared({ ...KERNEL_QUIRKS, dirtyReadIgnoresErrors });
      const untracked = iommufd.getDirty(mock.hwpt, MOCK_START, PAGE, { page: MOCK_PAGE });
      iommufd.setDirtyTracking(mock.hwpt, true);
      const hole = iommufd.getDirty(mock.hwpt, MOCK_START, 2 * PAGE, { page: MOCK_PAGE });
      const mapped = iommufd.getDirty(mock.hwpt, MOCK_START, PAGE, { page: MOCK_PAGE });
      return [untracked, hole, mapped];
    });
    expect(read).toEqual([
      [0, 0, 0],
      [EINVAL, EINVAL, 0],
    ]);
  });
});

function prepared(quirks: typeof KERNEL_QUIRKS) {
  const mock = new MockHost({ parameters: { quirks } });
  const { iommufd } = mock;
  const ioas = iommufd.ioasAlloc();
  const device = mock.bound({ dirtyTracking: true });
  iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
  const hwpt = iommufd.hwptAlloc(device.id, ioas, { flags: 2 });
  device.attach(hwpt);
  return { iommufd, hwpt };
}
