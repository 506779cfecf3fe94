import { type DeviceClient, VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  type Firmware,
  laptop,
  OPREGION_AT,
  open,
  TestMachine,
  VBT_AT,
  withVbt,
} from './igd-machine.js';

const CONFIG = 7;
const INTEL = 0x80008086;
const READ_AND_CAPS = 0x9;

/** Type, subtype, size and flags of the regions behind the fixed ones. */
function added(client: DeviceClient) {
  const { numRegions } = client.info();
  return Array.from({ length: numRegions - 9 }, (_, i) => {
    const { type, size, flags } = client.regionInfo(9 + i);
    return { ...type, size, flags };
  });
}

const failing = (machine: TestMachine) => {
  try {
    open(machine)[Symbol.dispose]();
  } catch (error) {
    return (error as VfioError).code;
  }
  return undefined;
};

describe('Intel graphics under plain vfio-pci', () => {
  it('[derived:54 derived:68] shows OpRegion, host bridge and LPC bridge, read-only', () => {
    using igd = open(laptop());
    expect(added(igd.client)).toEqual([
      { type: INTEL, subtype: 1, size: 8192, flags: READ_AND_CAPS },
      { type: INTEL, subtype: 2, size: 4096, flags: READ_AND_CAPS },
      { type: INTEL, subtype: 3, size: 256, flags: READ_AND_CAPS },
    ]);
  });

  it('is read through the device file', () => {
    using igd = open(laptop());
    expect(Buffer.from(igd.client.readRegion(9, 0, 16)).toString()).toBe('IntelGraphicsMem');
    expect([...igd.client.readRegion(11, 0, 4)]).toEqual([0x86, 0x80, 0x82, 0x51]);
    expect(() => igd.client.writeRegion(9, 0, new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it.each([0x030000, 0x038000, 0x030200])(
    '[derived:50] is any display function: class %i',
    (display) => {
      const machine = new TestMachine();
      machine.add('0000:00:02.0', { device: 0x46a6, class: display, asls: OPREGION_AT });
      machine.memory.set(OPREGION_AT, laptop().memory.get(OPREGION_AT)!);
      using igd = open(machine);
      expect(added(igd.client)).toHaveLength(1);
    },
  );

  it('[derived:50] is no other function of the vendor, and no display of another', () => {
    for (const ids of [
      { device: 0x51c8, class: 0x040300 },
      { vendor: 0x10de, device: 0x1eb8, class: 0x030000 },
    ]) {
      const machine = laptop();
      machine.add('0000:00:03.0', { ...ids, asls: OPREGION_AT });
      using igd = open(machine, {}, '0000:00:03.0');
      expect(added(igd.client)).toEqual([]);
    }
  });

  it.each([0, 0xffffffff])('[derived:51] shows nothing without an OpRegion: ASLS %i', (asls) => {
    const machine = laptop();
    machine.topology.find('0000:00:02.0')!.function.config.poke32(0xfc, asls);
    using igd = open(machine);
    expect(added(igd.client)).toEqual([]);
    expect(igd.client.readConfig(0xfc, 4)).toBe(asls);
  });

  it.each<[string, Firmware]>([
    ['[derived:52] a wrong signature', { signature: 'IntelGraphicsXem' }],
    ['[derived:53] a size of 0', { kib: 0 }],
  ])('%s fails the open', (_, firmware) => {
    expect(failing(laptop(firmware))).toBe('EINVAL');
  });

  it('[derived:64] keeps what the guest writes to ASLS from the hardware', () => {
    const machine = laptop();
    using igd = open(machine);
    expect(igd.client.readConfig(0xfc, 4)).toBe(OPREGION_AT);
    igd.client.writeConfig(0xfc, 4, 0x7ff00000);
    igd.client.writeConfig(0xfd, 1, 0x12);
    igd.client.writeConfig(0xfe, 2, 0x7fe0);
    expect(igd.client.readConfig(0xfc, 4)).toBe(0x7fe01200);
    expect([...igd.client.readRegion(CONFIG, 0xfa, 6)].slice(2)).toEqual([0x00, 0x12, 0xe0, 0x7f]);
    expect(machine.topology.find('0000:00:02.0')!.function.config.peek32(0xfc)).toBe(OPREGION_AT);
  });

  it('lets ASLS start out as the address of a VBT outside, as the kernel does, unless that is mended', () => {
    const machine = laptop({ rvda: BigInt(VBT_AT), rvds: 0x2400 });
    withVbt(machine);
    using wart = open(machine);
    expect(wart.client.readConfig(0xfc, 4)).toBe(VBT_AT);
    wart[Symbol.dispose]();
    using sane = open(machine, { quirks: { aslsShowsOpRegion: true } });
    expect(sane.client.readConfig(0xfc, 4)).toBe(OPREGION_AT);
  });

  it('[derived:65] opens without a host bridge, and has the OpRegion then and nothing behind it', () => {
    const machine = laptop();
    machine.topology.remove(machine.topology.find('0000:00:00.0')!);
    using igd = open(machine);
    expect(added(igd.client).map(({ subtype }) => subtype)).toEqual([1]);
  });

  it('opens without an LPC bridge', () => {
    const machine = laptop();
    machine.topology.remove(machine.topology.find('0000:00:1f.0')!);
    using igd = open(machine);
    expect(added(igd.client).map(({ subtype }) => subtype)).toEqual([1, 2]);
  });

  it('[derived:66] does not open with a host bridge of another vendor, and releases the OpRegion', () => {
    const machine = laptop();
    machine.topology.remove(machine.topology.find('0000:00:00.0')!);
    machine.add('0000:00:00.0', { vendor: 0x1022, device: 0x1480, class: 0x060000 });
    expect(failing(machine)).toBe('EINVAL');
    expect(machine.log).toEqual([
      'map 6f000000+2000',
      'get 0000:00:00.0',
      'put 0000:00:00.0',
      'unmap 6f000000',
    ]);
  });

  it('[derived:67] does not open with something else where the LPC bridge should be', () => {
    const machine = laptop();
    machine.topology.remove(machine.topology.find('0000:00:1f.0')!);
    machine.add('0000:00:1f.0', { device: 0x5182, class: 0x060180 });
    expect(failing(machine)).toBe('EINVAL');
    expect(machine.log.filter((line) => line.startsWith('put'))).toEqual([
      'put 0000:00:1f.0',
      'put 0000:00:00.0',
    ]);
  });

  it('[derived:71] gives both bridges back when it closes', () => {
    const machine = laptop();
    open(machine)[Symbol.dispose]();
    expect(machine.log.slice(-3)).toEqual([
      'unmap 6f000000',
      'put 0000:00:00.0',
      'put 0000:00:1f.0',
    ]);
  });

  it('finds everything again when it opens again', () => {
    const machine = laptop();
    open(machine)[Symbol.dispose]();
    using igd = open(machine);
    expect(added(igd.client)).toHaveLength(3);
  });

  it('[derived:72] brings nothing to a device that is bound to a derived driver', () => {
    using igd = open(laptop(), { driver: { name: 'xe-vfio-pci', ids: [{ vendor: 0x8086 }] } });
    expect(added(igd.client)).toEqual([]);
    expect(igd.client.readConfig(0xfc, 4)).toBe(OPREGION_AT);
  });
});
