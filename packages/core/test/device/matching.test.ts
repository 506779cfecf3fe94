import { DriverCore, PciBusDevice, type PciDriver, PciDriverBus } from '@vfiokit/driver-model';
import type { PciDevice } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { VFIO_PCI } from '../../src/register.js';
import { type FunctionOptions, Machine } from './fixture.js';

const EEXIST = 17;
const EINVAL = 22;

/** vfio-pci and a host driver on the driver core's bus, in this order, with functions to be bound for real. */
function pciBus() {
  const machine = new Machine();
  const core = new DriverCore();
  const bus = new PciDriverBus(core);
  const functions = new Map<string, PciDevice>();
  const vfioPci: PciDriver = {
    name: VFIO_PCI.name,
    managedDma: true,
    ids: VFIO_PCI.ids.map((id) => ({ ...id, overrideOnly: true })),
    probe({ name }) {
      try {
        machine.bind(functions.get(name)!, VFIO_PCI.name);
        return 0;
      } catch (error) {
        if (error instanceof VfioError) return error.errno;
        throw error;
      }
    },
  };
  const e1000e: PciDriver = {
    name: 'e1000e',
    ids: [{ vendor: 0x8086, device: 0x10d3 }],
    probe: () => 0,
  };
  for (const driver of [vfioPci, e1000e]) bus.register(driver);
  bus.driversAutoprobe = false;
  return {
    bus,
    vfioPci,
    /** Puts a function in, unbound. */
    add(name: string, options?: FunctionOptions) {
      const pdev = machine.add(name, options);
      functions.set(name, pdev);
      const { vendor, device, subsystemVendor, subsystemDevice, revision, headerType } = pdev;
      const facts = { vendor, device, subsystemVendor, subsystemDevice, revision, headerType };
      const added = new PciBusDevice(name, { ...facts, class: pdev.class }, core.root('pci'));
      void bus.add(added);
      return added;
    },
    /** Lets the bus look for a driver, and says which one it has then. */
    probe(device: PciBusDevice) {
      void bus.driversProbe(device.name);
      const bound = machine.vfio.device(functions.get(device.name)!);
      expect(device.driver === vfioPci).toBe(bound !== undefined);
      return device.driver?.name;
    },
  };
}

const BRIDGE: FunctionOptions = { config: [[0x0e, 1, 0x01]], description: { bars: [] } };

describe('vfio-pci', () => {
  it('[core:C9.1] leaves functions alone that nobody gives it', () => {
    const { bus, add, probe, vfioPci } = pciBus();
    const unknown = add('0000:00:03.0', { config: [[0x02, 2, 0x1572]] });
    expect(probe(unknown)).toBeUndefined();
    expect(bus.bind(vfioPci, unknown.name)).toBeLessThan(0);
    expect(probe(add('0000:00:04.0'))).toBe('e1000e');
  });

  it('[core:C9.2] takes any function whose override names it, that is no bridge', () => {
    const { bus, add, probe, vfioPci } = pciBus();
    const nic = add('0000:00:03.0');
    const display = add('0000:00:04.0', { config: [[0x08, 4, 0x03000000]] });
    const bridge = add('0000:00:05.0', BRIDGE);
    for (const device of [nic, display, bridge]) device.driverOverride = 'vfio-pci';
    expect([probe(nic), probe(display)]).toEqual(['vfio-pci', 'vfio-pci']);
    expect(bus.bind(vfioPci, bridge.name)).toBe(-EINVAL);
  });

  it('[core:C9.3] leaves functions to the driver that their override names, whatever its dynamic ids', () => {
    const { bus, add, probe, vfioPci } = pciBus();
    const nic = add('0000:00:03.0');
    nic.driverOverride = 'e1000e';
    expect(bus.newId(vfioPci, '8086 10d3')).toBe(0);
    expect(probe(nic)).toBe('e1000e');
    const nobody = add('0000:00:04.0');
    nobody.driverOverride = 'nobody';
    expect(probe(nobody)).toBeUndefined();
  });

  it('[core:C9.4] takes every unbound function of a dynamic id', () => {
    const { bus, add, probe, vfioPci } = pciBus();
    const first = add('0000:00:03.0', { config: [[0x02, 2, 0x1572]] });
    const other = add('0000:00:04.0', { config: [[0x02, 2, 0x1573]] });
    bus.newId(vfioPci, '8086 1572');
    expect(first.driver?.name).toBe('vfio-pci');
    expect(other.driver).toBeUndefined();
    expect(probe(add('0000:00:05.0', { config: [[0x02, 2, 0x1572]] }))).toBe('vfio-pci');
  });

  it('[core:C9.21] looks at its dynamic ids before its table', () => {
    const { bus, add, vfioPci } = pciBus();
    const nic = add('0000:00:03.0');
    nic.driverOverride = 'vfio-pci';
    expect(bus.matchedEntry(nic, vfioPci)).toEqual({ overrideOnly: true });
    bus.newId(vfioPci, '8086 10d3');
    expect(bus.matchedEntry(nic, vfioPci)).toMatchObject({ vendor: 0x8086, device: 0x10d3 });
  });

  it('[core:C9.22] takes a dynamic id once, unless all seven fields are there', () => {
    const { bus, vfioPci } = pciBus();
    const add = (text: string) => bus.newId(vfioPci, text);
    expect(add('8086 10d3')).toBe(0);
    expect(add('8086 10d3')).toBe(-EEXIST);
    expect(add('8086 10d3 8086 1 020000 ffffff')).toBe(-EEXIST);
    expect(add('8086 10d3 ffffffff ffffffff 0 0 0')).toBe(0);
  });
});
