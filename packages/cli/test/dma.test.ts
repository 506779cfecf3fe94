import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readHost } from '@vfiokit/binder';
import { Machine, readDescription } from '@vfiokit/host';
import { COMMANDS, captureIo, run } from 'vfiokit';
import { afterAll, describe, expect, test } from 'vitest';
import { readGroups } from '../src/dma/read-groups.js';
import { groupLines, shortNames } from '../src/dma/show-groups.js';

async function vfiokit(...argv: readonly string[]) {
  const io = captureIo();
  const status = await run(argv, COMMANDS, io);
  return { status, out: io.out, err: io.err, json: () => JSON.parse(io.out.join('\n')) };
}

const CAPTURE = 'vm-q35-sriov-vfio';
const GPU = '0000:65:00.0';
const DISK = '0000:81:00.0';

const WITHOUT_IOMMU = join(mkdtempSync(join(tmpdir(), 'vfiokit-dma-')), 'bare.yaml');
writeFileSync(
  WITHOUT_IOMMU,
  'name: bare\narchitecture: x86_64\nkernel: 7.2.12\niommu: none\nfunctions: [{ at: "0000:01:00.0", ids: "8086:10d3", class: "020000" }]\n',
);
afterAll(() => rmSync(dirname(WITHOUT_IOMMU), { recursive: true }));

/** A machine of three functions in two groups, all on vfio-pci. */
const vm = () =>
  new Machine(
    readDescription(
      `name: vm
architecture: x86_64
kernel: 7.2.12
functions:
  - { at: "0000:01:00.0", ids: "8086:10d3", class: "020000", group: 10, override: vfio-pci }
  - { at: "0000:01:00.1", ids: "8086:10d3", class: "020000", group: 10, override: vfio-pci }
  - { at: "0000:02:00.0", ids: "8086:10d3", class: "020000", group: 11, override: vfio-pci }
vfio: { loaded: [vfio-pci] }
`,
      'vm.yaml',
    ),
  );

describe('vfiokit show, of groups and containers', () => {
  test('tells which drivers of the host own the DMA of a group, and which groups are free', async () => {
    const { out } = await vfiokit('--machine', 'x86-server', 'show', '--groups');
    expect(out[0]).toBe('IOMMU groups');
    expect(out).toContainEqual(
      expect.stringMatching(/^ +22 {2}0000:65:00\.\{0,1\} +nouveau, snd_hda_intel +- +-$/),
    );
    expect(out).toContainEqual(expect.stringMatching(/^ +1 {2}0000:00:01\.0 +nobody +- +-$/));
  });

  test('stands below the tree, unless it is not wanted', async () => {
    const both = await vfiokit('--machine', 'x86-server', 'show');
    expect(both.out[0]).toMatch(/^x86-server: Linux/);
    expect(both.out).toContain('IOMMU groups');
    const tree = await vfiokit('--machine', 'x86-server', 'show', '--no-groups');
    expect(tree.out).not.toContain('IOMMU groups');
  });

  test('tells of open devices of a model who has them, in which container, on which IOMMU', async () => {
    const machine = vm();
    using user = machine.open('0000:01:00.0');
    const opened = { name: 'vm', sysfs: machine.sysfs, machine };
    const report = await readGroups(opened, await readHost(machine.sysfs));
    expect(
      report.groups.map(({ id, owner, holders, container }) => [id, owner, holders, container]),
    ).toEqual([
      [10, 'user', [`qemu-system-x86 (${user.pid})`], 1],
      [11, 'nobody', [], null],
    ]);
    expect(report.containers).toEqual([
      { number: 1, iommu: 'type1 v2', groups: [10], mappings: 0, bytes: 0n },
    ]);
    const lines = groupLines(report, captureIo().colors);
    expect(lines).toContainEqual(
      expect.stringMatching(/^ +10 .* qemu-system-x86 \(4200\) +\/dev\/vfio\/10 +1 \(type1 v2\)$/),
    );
    expect(lines.at(-1)).toBe('container 1: type1 v2, group 10, 0 mappings of 0 bytes');
  });

  test('says of a capture what /sys says, and that it does not tell of containers', async () => {
    const { out } = await vfiokit('--machine', CAPTURE, 'show', '--groups');
    expect(out).toContainEqual(
      expect.stringMatching(/^ +11 {2}0000:01:10\.0 +\? +\/dev\/vfio\/11 +\? +DMA-FQ$/),
    );
    expect(out.at(-1)).toBe('  ?: neither /sys nor /proc tells');
  });

  test('is in the document: what is unknown is absent, what is none is null', async () => {
    const { json } = await vfiokit('--machine', CAPTURE, 'show', '--json');
    const { groups, containers, devices } = json();
    expect(devices).toHaveLength(20);
    expect(containers).toEqual([]);
    expect(groups[8]).toEqual({
      id: 8,
      members: ['0000:01:00.0'],
      owner: 'host',
      holders: ['0000:01:00.0 (igb)'],
      node: null,
      type: 'DMA-FQ',
      reserved: [{ start: '0xfee00000', end: '0xfeefffff', type: 'msi' }],
      container: null,
    });
    expect(Object.keys(groups[11])).not.toContain('owner');
    expect(Object.keys(groups[11])).not.toContain('container');
  });

  test('says when there are none', async () => {
    const { out } = await vfiokit('--machine', WITHOUT_IOMMU, 'show', '--groups');
    expect(out).toEqual([`${WITHOUT_IOMMU}: no IOMMU groups`]);
  });

  test.each([
    [['0000:00:02.0', '0000:00:02.1', '0000:03:00.0'], '0000:00:02.{0,1} 0000:03:00.0'],
    [['0002:00:00.0'], '0002:00:00.0'],
    [['mdev0'], 'mdev0'],
  ])('functions of one slot share its name: %j', (names, text) => {
    expect(shortNames(names)).toBe(text);
  });
});

describe('vfiokit show --assign', () => {
  const assign = (...argv: readonly string[]) =>
    vfiokit('--machine', 'x86-server', 'show', '--assign', `${GPU},${DISK}`, ...argv);
  const containers = (lines: readonly string[]) =>
    lines.flatMap((line) => /(container \d|IOAS \d).* for (.*): /.exec(line)?.slice(1, 3) ?? []);

  test('puts all devices of a guest without an IOMMU into one container, with all memory', async () => {
    const { out, err } = await assign();
    expect(out).toEqual([
      'a guest of 4 GiB: map-all on type1 v2',
      '├── shared by all devices, because each may reach all memory',
      "├── filled by the guest's memory",
      '└── container 1 (type1 v2) for system memory: 2 mappings of 4 GiB, room for 65,533',
      '    ├── group 22: 0000:65:00.{0,1}',
      '    └── group 23: 0000:81:00.0',
    ]);
    expect(err).toEqual([
      'group 22: on nouveau, snd_hda_intel; shown as if VFIO drivers had it',
      'group 23: on nvme; shown as if VFIO drivers had it',
    ]);
  });

  test('gives each group of a guest with an IOMMU a container of its own', async () => {
    const { out } = await assign('--usage', 'shadow');
    expect(containers(out)).toEqual([
      'container 1',
      'domain of group 22',
      'container 2',
      'domain of group 23',
    ]);
  });

  test('refuses the second group below a bridge that names its group, as first proposed', async () => {
    const { status, out, err } = await assign('--usage', 'named-bridge');
    expect([status, out]).toEqual([1, []]);
    expect(err).toEqual([
      '0000:81:00.0: no space takes group 23: EBUSY; put it into an address space of its own',
    ]);
  });

  test('knows what guests of the machine’s architecture are used to', async () => {
    const gpus = '0004:04:00.0,0004:04:01.0';
    const power = (...argv: readonly string[]) =>
      vfiokit('--machine', 'power9', 'show', '--assign', gpus, ...argv);
    const today = await power();
    expect(today.out[0]).toBe('a guest of 4 GiB: papr-bridge on spapr-tce v2');
    expect(containers(today.out)).toEqual(['container 1', 'bridge 0']);
    const v1 = await power('--space', 'spapr-tce-v1');
    expect(containers(v1.out)).toEqual(['container 1', 'bridge 0', 'container 2', 'bridge 0']);
  });

  test('refuses a pair that cannot work with the capability that is missing', async () => {
    const { status, err } = await assign('--usage', 'nested');
    expect(status).toBe(1);
    expect(err).toEqual([
      "0000:65:00.0: type1 v2 cannot serve nested: nesting: hardware does not walk a guest's page table",
    ]);
  });

  test('is one document with --json', async () => {
    const { json } = await assign('--json', '--space', 'iommufd', '--ram', '1G');
    expect(json()).toMatchObject({
      usage: { name: 'map-all' },
      space: 'iommufd',
      ram: 2 ** 30,
      spaces: [
        {
          name: 'IOAS 1 (iommufd)',
          for: 'system memory',
          groups: [22, 23],
          mappings: [{ iova: '0x0', size: '0x40000000', read: true, write: true }],
        },
      ],
    });
  });

  test.each([
    [['--usage', 'mapall'], 2, '--usage mapall: no such usage model; there is map-all, '],
    [['--space', 'type1'], 2, '--space type1: no such kind; there is type1-v1, '],
    [['--ram', '3'], 2, '--ram 3: not a size; say 512M, 4G or 1T'],
    [['--ram', '65T'], 2, '--ram 65T: not a size'],
    [['--assign', '0000:65:00.7'], 1, '0000:65:00.7: no such device; did you mean'],
    [['--assign', ','], 2, 'show: --assign wants devices'],
    [['--assign', 'gpu'], 1, 'gpu: not a PCI address'],
  ])('has one clear error for %j', async (argv, wanted, message) => {
    const { status, out, err } = await assign(...argv);
    expect([status, out]).toEqual([wanted, []]);
    expect(err).toEqual([expect.stringContaining(message)]);
  });

  test('is what --usage and its like are for', async () => {
    const { status, err } = await vfiokit('--machine', 'x86-server', 'show', '--usage', 'shadow');
    expect(status).toBe(2);
    expect(err).toEqual(['show: --usage, --space and --ram say how --assign gives devices away']);
  });
});

describe('vfiokit inspect --dma', () => {
  const dma = (machine: string, ...argv: readonly string[]) =>
    vfiokit('--machine', machine, 'inspect', '--dma', ...argv);

  test('prints the ranges, the limits and the mappings of a device’s address space', async () => {
    const { out } = await dma(CAPTURE, '0000:02:00.0', '--ram', '64G');
    expect(out).toEqual([
      '0000:02:00.0, group 9: map-all, a guest of 64 GiB',
      '  shared by all devices, because each may reach all memory',
      "  filled by the guest's memory",
      'type1 v2: pages 4K 2M 1G; 2 mappings, 65533 more can be made',
      '  range 0x0-0xfedfffff',
      '  range 0xfef00000-0xffffffffffff',
      '  0x0-0x7fffffff rw -> 0x100000000000 (2G)',
      '  0x100000000-0x107fffffff rw -> 0x100080000000 (62G)',
    ]);
  });

  test('says where it had to guess', async () => {
    const { err } = await dma(CAPTURE, '0000:02:00.0');
    expect(err).toEqual([
      'group 9: on nvme; shown as if VFIO drivers had it',
      "group 9: the IOMMU's registers can't be seen; its reach and its pages are those of a common one",
    ]);
    expect((await dma('x86-server', DISK)).err).not.toContainEqual(
      expect.stringContaining('registers'),
    );
  });

  test('of a capture without reserved regions says that it takes none to be there', async () => {
    const folder = join(dirname(WITHOUT_IOMMU), 'sys');
    await vfiokit('--machine', 'x86-server', 'show', '--export', folder);
    rmSync(join(folder, 'kernel/iommu_groups/23/reserved_regions'));
    const { err } = await dma(folder, DISK);
    expect(err).toContain("group 23: reserved_regions can't be seen; none are taken to be there");
  });

  test('takes the IOMMU of a recorded machine from its registers', async () => {
    const traces = new URL('../../../test/fixtures/traces/', import.meta.url).pathname;
    const amd = await dma('live', `${traces}iommu-amd/small.jsonl.gz`);
    expect(amd.out).toContain('type1 v2: pages 4K…256G 1T…2P; 2 mappings, 65533 more can be made');
    expect(amd.err).toEqual([expect.stringContaining('recorded on Linux 7.2')]);
    const s390 = await dma('live', `${traces}s390x-virtio-rng/std.jsonl.gz`);
    expect(s390.out[0]).toBe('0001:00:00.0, group 0: shadow, a guest of 4 GiB');
    const power = await dma('live', `${traces}ppc64-virtio-rng/spapr.jsonl.gz`);
    expect(power.out).toContainEqual(expect.stringContaining('spapr-tce v1: pages '));
    const none = await dma('live', `${traces}iommu-none/std.jsonl.gz`);
    expect(none.err).toEqual(['0000:00:03.0: in no IOMMU group; the machine has no IOMMU']);
  });

  test('is one document with --json, whose addresses are hexadecimal', async () => {
    const { json } = await dma('x86-server', GPU, '--json');
    expect(json()).toMatchObject({
      device: GPU,
      group: 22,
      members: ['0000:65:00.0', '0000:65:00.1'],
      usage: { name: 'map-all' },
      kind: 'type1 v2',
      pageSizes: '0x40201000',
      available: 65533,
      ranges: [{ start: '0x0', last: '0xffffffffffff' }],
      mappings: [{ iova: '0x0', size: '0x80000000' }, { iova: '0x100000000' }],
    });
  });

  test.each([
    ['a file that tells of no IOMMU', ['lspci.txt'], 2, 'lspci.txt: tells nothing of an IOMMU'],
    ['a device that is not there', ['0000:65:00.7'], 1, '0000:65:00.7: no such device'],
    ['a model that the IOMMU can’t serve', [GPU, '--usage', 'nested'], 1, 'cannot serve nested'],
    ['a trace that is not there', ['no.jsonl'], 1, 'no.jsonl'],
  ])('has one clear error for %s', async (_what, argv, wanted, message) => {
    const { status, out, err } = await dma('x86-server', ...argv);
    expect([status, out]).toEqual([wanted, []]);
    expect(err).toEqual([expect.stringContaining(message)]);
  });

  test('of a machine without groups says so', async () => {
    const { status, err } = await dma('testbed', '0000:05:00.0');
    expect(status).toBe(1);
    expect(err).toEqual([
      '0000:05:00.0: in no IOMMU group that is known; nothing stands between it and memory',
    ]);
  });

  test('without it, --usage and its like are refused', async () => {
    const { status } = await vfiokit('--machine', 'x86-server', 'inspect', GPU, '--ram', '4G');
    expect(status).toBe(2);
  });
});
