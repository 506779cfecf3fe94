import { describe, expect, test } from 'vitest';
import { ENOMEM } from '../support/errno.js';
import { ARENA, emulatedDevice } from '../support/host.js';
import { access, MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;
const READ = 1;

// tools/testing/selftests/iommu/iommufd_fail_nth.c: whatever allocation fails, the call fails and nothing is left of it.
describe('iommufd_fail_nth', () => {
  /** Runs a case with every allocation failing in turn, until it gets through without one. */
  function failNth(run: (mock: MockHost) => boolean): number {
    for (let n = 1; n < 1000; n += 1) {
      const mock = new MockHost();
      mock.iommufd.option(0, 1);
      mock.faults.failNth(n);
      const done = run(mock);
      const { spent } = mock.faults;
      mock.faults.failNth(0);
      const { fds } = mock.host.process;
      for (let fd = 64; fd >= 3; fd -= 1) if (fds.get(fd)) fds.close(fd);
      expect(mock.host.process.lockedBytes).toBe(0);
      for (const { ownerClaimed } of mock.host.iommuGroups) expect(ownerClaimed).toBe(false);
      if (done) return n;
      expect(spent).toBe(true);
    }
    throw new Error('it never got through');
  }

  const ok = (...results: readonly (number | bigint)[]) => {
    for (const result of results) if (result < 0) expect(result).toBe(ENOMEM);
    return results.every((result) => result >= 0);
  };

  test('basic_fail_nth', () => {
    const rounds = failNth(({ iommufd }) => {
      const ioas = iommufd.ioasAlloc();
      if (!ok(ioas)) return false;
      const at = iommufd.map(ioas, ARENA, 4 * PAGE, { iova: 0x10000 });
      return (
        ok(at) && ok(iommufd.copy([ioas, 0x10000], [ioas, 0x100000], PAGE), iommufd.unmapAll(ioas))
      );
    });
    expect(rounds).toBeGreaterThan(4);
  });

  const withDomains =
    (domains: number, map: (mock: MockHost, ioas: number) => number | bigint) => () => {
      const rounds = failNth((mock) => {
        const ioas = mock.iommufd.ioasAlloc();
        if (!ok(ioas)) return false;
        for (let i = 0; i < domains; i += 1) {
          const device = mock.bound({ driver: `mock${i}` });
          if (!ok(device.ret) || !ok(device.attach(ioas))) return false;
        }
        return ok(map(mock, ioas)) && ok(mock.iommufd.unmapAll(ioas));
      });
      expect(rounds).toBeGreaterThan(6);
    };

  test(
    'map_domain',
    withDomains(1, ({ iommufd }, ioas) => iommufd.map(ioas, ARENA, 4 * PAGE, { iova: MOCK_START })),
  );
  test(
    'map_two_domains',
    withDomains(2, ({ iommufd }, ioas) => iommufd.map(ioas, ARENA, 4 * PAGE, { iova: MOCK_START })),
  );
  test(
    'map_file_domain',
    withDomains(1, (mock, ioas) =>
      mock.iommufd.mapFile(ioas, mock.host.fd(mock.memFile(PAGE)), 0, PAGE, MOCK_START),
    ),
  );

  const withAccess =
    (domains: number, use: (pages: ReturnType<typeof access>['pages']) => number) => () => {
      const rounds = failNth((mock) => {
        const ioas = mock.iommufd.ioasAlloc();
        if (!ok(ioas) || !ok(mock.iommufd.map(ioas, ARENA, 4 * PAGE, { iova: MOCK_START })))
          return false;
        for (let i = 0; i < domains; i += 1) {
          const device = mock.bound();
          if (!ok(device.ret) || !ok(device.attach(ioas))) return false;
        }
        const device = emulatedDevice('mdev');
        mock.host.groups.register(device);
        const bound = mock.iommufd.bind(device);
        if (!ok(bound.ret) || !ok(bound.attach(ioas))) return false;
        return ok(use(device.door!.pages!));
      });
      expect(rounds).toBeGreaterThan(4);
    };

  const pinBoth = (pages: ReturnType<typeof access>['pages']) => {
    const pinned = pages.pinPages(MOCK_START, 2, READ);
    if (typeof pinned === 'number') return pinned;
    pages.unpinPages(MOCK_START, 2);
    return 0;
  };

  test(
    'access_rw',
    withAccess(0, (pages) => pages.write(MOCK_START, new Uint8Array(PAGE))),
  );
  test('access_pin', withAccess(0, pinBoth));
  test('access_pin_domain', withAccess(1, pinBoth));

  test('device', () => {
    const rounds = failNth((mock) => {
      const { iommufd } = mock;
      const [ioas, other] = [iommufd.ioasAlloc(), iommufd.ioasAlloc()];
      if (!ok(ioas, other)) return false;
      if (!ok(iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START }))) return false;
      const device = mock.bound();
      if (!ok(device.ret)) return false;
      const hwpt = iommufd.hwptAlloc(device.id, other, { flags: 1 });
      if (!ok(hwpt)) return false;
      const nested = iommufd.nested(device.id, hwpt, 0);
      if (!ok(nested)) return false;
      const viommu = iommufd.viommuAlloc(device.id, hwpt);
      if (
        !ok(viommu) ||
        !ok(iommufd.vdeviceAlloc(viommu, device.id, 1), iommufd.veventqAlloc(viommu).ret)
      )
        return false;
      return ok(device.attach(ioas)) && ok(device.attach(hwpt)) && ok(device.detach());
    });
    expect(rounds).toBeGreaterThan(10);
  });
});
