import { Machine, readDescription } from '@vfiokit/host';
import { DevVfio, VfioGroups } from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';

const EPERM = 1;
const EBUSY = 16;
const ROOT_PORT = '0000:00:01.0';
const OURS = '0000:01:00.0';
const SIBLING = '0000:01:00.1';

/** A root port and what is behind it in one IOMMU group. */
const DESCRIPTION = `
name: one-group
architecture: x86_64
kernel: '7.2'
functions:
  - { at: '${ROOT_PORT}', ids: '8086:1901', class: '060400', bridgeTo: '01', group: 5 }
  - { at: '${OURS}', ids: '8086:10d3', class: '020000', group: 5, probe: false }
  - { at: '${SIBLING}', ids: '8086:10d3', class: '020000', group: 5, probe: false }
modules:
  - { name: pcieport, state: builtin, drivers: [{ name: pcieport, ids: ['class 0604xx'], managedDma: true }] }
  - { name: pci_stub, drivers: [{ name: pci-stub, managedDma: true }] }
  - { name: e1000e, drivers: [{ name: e1000e, ids: ['8086:10d3'] }] }
`;

/** The machine with one function on vfio-pci and its group open; drivers bind to the other through sysfs. */
async function booted() {
  const machine = new Machine(readDescription(DESCRIPTION, 'one-group'));
  const bus = '/sys/bus/pci';
  const bind = async (name: string, driver: string) => {
    await machine.sysfs.write(`${bus}/devices/${name}/driver_override`, driver);
    return machine.sysfs.write(`${bus}/drivers/${driver}/bind`, name);
  };
  const unbind = (name: string, driver: string) =>
    machine.sysfs.write(`${bus}/drivers/${driver}/unbind`, name);
  const driverOf = async (name: string) => {
    const link = await machine.sysfs.readLink(`${bus}/devices/${name}/driver`);
    return typeof link === 'number' ? undefined : link.split('/').at(-1);
  };
  expect(await bind(OURS, 'vfio-pci')).toBe(OURS.length);
  const process = new Process();
  const { container } = machine;
  const group = container.resolve(VfioGroups).openGroup(5, process);
  const fd = process.fds.install(container.resolve(DevVfio).openContainer());
  const word = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
  return {
    bind,
    unbind,
    driverOf,
    status: () => {
      const argument = new Uint8Array(8).fill(8, 0, 1);
      expect(group.ioctl(0x3b67, argument, process)).toBe(0);
      return argument[4];
    },
    setContainer: () => group.ioctl(0x3b68, word(fd), process),
    unsetContainer: () => group.ioctl(0x3b69, 0, process),
  };
}

describe('a group of several functions', () => {
  test('[iommu:1] is viable while its others are bound to nothing', async () => {
    const { driverOf, status } = await booted();
    expect([await driverOf(OURS), await driverOf(SIBLING)]).toEqual(['vfio-pci', undefined]);
    expect(status()).toBe(1);
  });

  test('[iommu:4] is viable with pci-stub and PCIe ports, which leave DMA to others', async () => {
    const { bind, driverOf, status, setContainer } = await booted();
    expect(await bind(SIBLING, 'pci-stub')).toBe(SIBLING.length);
    expect([await driverOf(ROOT_PORT), await driverOf(SIBLING)]).toEqual(['pcieport', 'pci-stub']);
    expect(status()).toBe(1);
    expect(setContainer()).toBe(0);
    expect(status()).toBe(3);
  });

  test('[iommu:2 iommu:3] is not with a driver that does DMA itself, until that is gone', async () => {
    const { bind, unbind, status, setContainer } = await booted();
    expect(await bind(SIBLING, 'e1000e')).toBe(SIBLING.length);
    expect([status(), setContainer(), status()]).toEqual([0, -EPERM, 0]);
    await unbind(SIBLING, 'e1000e');
    expect([status(), setContainer()]).toEqual([1, 0]);
  });

  test('[iommu:5 iommu:6] keeps such a driver away for as long as it has a container', async () => {
    const { bind, driverOf, setContainer, unsetContainer, status } = await booted();
    expect(setContainer()).toBe(0);
    expect(await bind(SIBLING, 'e1000e')).toBe(-EBUSY);
    expect([await driverOf(SIBLING), status()]).toEqual([undefined, 3]);
    expect(unsetContainer()).toBe(0);
    expect(await bind(SIBLING, 'e1000e')).toBe(SIBLING.length);
  });
});
