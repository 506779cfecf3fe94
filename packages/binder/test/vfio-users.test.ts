import { describeProcesses, readHost, readUsage, readVfioUsers } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';
import { fakeRoot } from './fake-root.js';

const NIC = '0000:01:10.0';
const OTHER = '0000:01:10.1';
const DEVICES = '/sys/bus/pci/devices';

/** Two functions of one group on vfio-pci; the first has a node of its own. */
const MACHINE = {
  [`${DEVICES}/${NIC}/iommu_group`]: '-> ../../../kernel/iommu_groups/11',
  [`${DEVICES}/${NIC}/driver`]: '-> ../../../bus/pci/drivers/vfio-pci',
  [`${DEVICES}/${NIC}/vfio-dev/vfio3/dev`]: '511:3\n',
  [`${DEVICES}/${OTHER}/iommu_group`]: '-> ../../../kernel/iommu_groups/11',
};

/** A process with one descriptor. */
function running(pid: number, comm: string, fd: string, fdinfo = 'pos:\t0\n') {
  return {
    [`/proc/${pid}/comm`]: `${comm}\n`,
    [`/proc/${pid}/fd/20`]: `-> ${fd}`,
    [`/proc/${pid}/fdinfo/20`]: fdinfo,
  };
}

async function usersOf(files: Readonly<Record<string, string>>) {
  using root = fakeRoot({ ...MACHINE, ...files });
  const host = await readHost(root.sysfs);
  return (await readVfioUsers(root.sysfs, host))?.users;
}

describe('who has a device open, as /proc shows it', () => {
  test('a descriptor that tells its device, as those of newer kernels do', async () => {
    const path = `/sys/devices/pci0000:00/0000:00:04.0/${NIC}`;
    const users = await usersOf(
      running(42, 'cloud-hypervis', 'anon_inode:[vfio-device]', `vfio-device-syspath: ${path}\n`),
    );
    expect([...users!]).toEqual([[NIC, [{ pid: 42, command: 'cloud-hypervis' }]]]);
  });

  test('the node of a group, which is every member’s', async () => {
    const users = await usersOf(running(42, 'dpdk-testpmd', '/dev/vfio/11'));
    expect([...users!.keys()]).toEqual([NIC, OTHER]);
  });

  test('a node that has gone while it was open', async () => {
    const users = await usersOf(running(42, 'x', '/dev/vfio/11 (deleted)'));
    expect([...users!.keys()]).toEqual([NIC, OTHER]);
  });

  test('the node of a device, by what the device was called before its unbind began', async () => {
    using root = fakeRoot({
      ...MACHINE,
      ...running(42, 'x', '/dev/vfio/devices/vfio3 (deleted)'),
    });
    const before = await readHost(root.sysfs);
    root.remove(`${DEVICES}/${NIC}/vfio-dev`);
    expect([...(await readVfioUsers(root.sysfs, before))!.users.keys()]).toEqual([NIC]);
  });

  test('the container and other files of VFIO are nobody’s device', async () => {
    expect((await usersOf(running(42, 'x', '/dev/vfio/vfio')))?.size).toBe(0);
  });

  test('one process with several descriptors is told once, with the guest that it runs', async () => {
    const users = await usersOf({
      ...running(42, 'qemu-system-x86', '/dev/vfio/11'),
      '/proc/42/fd/21': '-> /dev/vfio/devices/vfio3',
      '/proc/42/cmdline':
        '/usr/bin/qemu-system-x86_64\0-name\0guest=web1,debug-threads=on\0-m\u00002G\0',
    });
    expect(users!.get(NIC)).toEqual([{ pid: 42, command: 'qemu-system-x86', guest: 'web1' }]);
    expect(describeProcesses(users!.get(NIC)!)).toBe('process 42 (qemu-system-x86, guest web1)');
  });

  test('a name that is no option of -name is the guest’s own', async () => {
    const users = await usersOf({
      ...running(42, 'qemu', '/dev/vfio/11'),
      '/proc/42/cmdline': 'qemu\0-name\0db,process=qemu-db\0',
    });
    expect(users!.get(NIC)?.[0]?.guest).toBe('db');
  });

  test('processes whose descriptors are hidden are counted, not taken for idle ones', async () => {
    using root = fakeRoot({ ...MACHINE, ...running(42, 'x', '/dev/null') });
    const { sysfs } = root;
    const tree: Sysfs = {
      kind: 'live',
      read: (path) => sysfs.read(path),
      write: (path, data) => sysfs.write(path, data),
      readLink: (path) => sysfs.readLink(path),
      list: async (path) => (path === '/proc/42/fd' ? -13 : sysfs.list(path)),
    };
    const usage = await readUsage(tree, await readHost(tree));
    expect(usage.unobserved.join()).toContain(
      'other users’ processes have open, 1 of them'.replace('’', "'"),
    );
  });

  test('without /proc nothing is said', async () => {
    expect(await usersOf({})).toBeUndefined();
  });
});
