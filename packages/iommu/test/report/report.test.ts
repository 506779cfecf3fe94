import { renderDma, renderPageSizes, reportGroups } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { ARENA, StubDevice, TestHost } from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

describe('groups and containers for people', () => {
  test('say which node, which container, what for, and what is in the way', () => {
    const host = new TestHost();
    const gpu = host.device({ name: '0000:01:00.0' });
    host.groups.register(new StubDevice('0000:01:00.1', gpu.iommuGroup));
    const nic = host.device({ name: '0000:02:00.0' });
    const busy = host.device({ name: '0000:03:00.0' });
    busy.iommuGroup!.useDefaultDomain('0000:03:00.1 (e1000e)');
    host.iommuGroup().members.add('0000:00:1f.0');
    const container = host.ready(3, gpu, nic);
    container.map(0, ARENA, 0x3000);
    const { groups, containers } = reportGroups(host.iommuGroups, host.groups);
    expect(
      groups.map(({ members, owner, node, container: of }) => [members, owner, node, of]),
    ).toEqual([
      [['0000:01:00.0', '0000:01:00.1'], 'user', '/dev/vfio/0', 1],
      [['0000:02:00.0'], 'user', '/dev/vfio/1', 1],
      [['0000:03:00.0'], 'host', '/dev/vfio/2', null],
      [['0000:00:1f.0'], 'nobody', null, null],
    ]);
    expect(groups[2]!.holders).toEqual(['0000:03:00.1 (e1000e)']);
    expect(containers).toEqual([
      { number: 1, iommu: 'type1 v2', groups: [0, 1], mappings: 1, bytes: 0x3000n },
    ]);
  });

  test('say where nobody may map', () => {
    const host = new TestHost();
    const msi = { start: 0xfee00000n, end: 0xfeefffffn, type: 'msi' } as const;
    host.iommuGroup({ reserved: [msi], type: 'DMA-FQ' });
    const [group] = reportGroups(host.iommuGroups, host.groups).groups;
    expect(group).toMatchObject({ reserved: [msi], type: 'DMA-FQ' });
  });

  test('say that a container has no IOMMU yet', () => {
    const host = new TestHost();
    host.container().add(host.device());
    expect(reportGroups(host.iommuGroups, host.groups).containers).toEqual([
      { number: 1, iommu: null, groups: [0], mappings: 0, bytes: 0n },
    ]);
  });

  test('say that an iommufd is in the container’s place, whichever way the device was opened', () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    const file = host.openGroup(host.device());
    file.group.setContainer(iommufd.file, host.process);
    iommufd.bind(host.device());
    const { groups } = reportGroups(host.iommuGroups, host.groups);
    expect(groups.map(({ container }) => container)).toEqual(['iommufd', 'iommufd']);
  });
});

describe('an address space for people', () => {
  test('has limits, ranges, and as many mappings as one wants to see', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0x10000, ARENA, 0x1000);
    container.map(0x20000, ARENA, 0x200000, { flags: 1 });
    expect(renderDma(container.file.iommu!.snapshot(), 1).split('\n')).toEqual([
      'type1 v2: pages 4K 2M 1G; 2 mappings, 65533 more can be made',
      '  range 0x0-0xffffffffffff',
      '  0x10000-0x10fff rw -> 0x10000000000 (4K)',
      '  and 1 more',
    ]);
    expect(renderDma(container.file.iommu!.snapshot())).toContain(
      '0x20000-0x21ffff r- -> 0x10000000000 (2M)',
    );
  });

  test('of an iommufd has no limit', () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    iommufd.map(iommufd.ioasAlloc(), ARENA, 0x1000, { iova: 0x5000, flags: 2 });
    const [ioas] = iommufd.file.snapshots();
    expect(renderDma(ioas!.dma)).toBe(
      [
        'ioas 1: pages 1…8E; 1 mapping, no limit',
        '  range 0x0-0xffffffffffffffff',
        '  0x5000-0x5fff -w -> 0x10000000000 (4K)',
      ].join('\n'),
    );
  });

  test.each([
    [0n, ''],
    [0x1000n, '4K'],
    [0x40201000n, '4K 2M 1G'],
    [0xfffffffffffff000n, '4K…8E'],
    [0x000fff7ffffff000n, '4K…256G 1T…2P'],
  ])('page sizes 0x%s are %s', (sizes, text) => {
    expect(renderPageSizes(sizes)).toBe(text);
  });
});
