import { describe, expect, test } from 'vitest';
import { A, B, fixture, G, H, NIC, P } from './fixture.js';

describe('files of a function', () => {
  test('[binding:129] ids and class in fixed widths', async () => {
    const { read } = fixture();
    expect(await read(`devices/${A}/vendor`)).toBe('0x8086\n');
    expect(await read(`devices/${A}/class`)).toBe('0x020000\n');
    expect(await read(`devices/${A}/revision`)).toBe('0x03\n');
    expect(await read(`devices/${A}/subsystem_device`)).toBe('0xa01f\n');
  });

  test('[binding:130] the modalias is 53 characters and a newline', async () => {
    const { read } = fixture();
    expect(await read(`devices/${A}/modalias`)).toBe(
      'pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00\n',
    );
  });

  test('[binding:131] uevent names the driver only while there is one', async () => {
    const { read } = fixture();
    const lines = String(await read(`devices/${A}/uevent`)).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'DRIVER=e1000e',
        'PCI_CLASS=20000',
        'PCI_ID=8086:10D3',
        `PCI_SLOT_NAME=${A}`,
      ]),
    );
    expect(await read(`devices/${B}/uevent`)).not.toContain('DRIVER');
    expect(await read(`devices/${H}/uevent`)).toContain('PCI_CLASS=40300\n');
  });

  test('[binding:132] a line for each of thirteen resources, zeros for those that are not there', async () => {
    const { add, read } = fixture();
    const resources = [{ start: 0xfebc0000n, length: 0x20000, flags: 0x40200 }];
    add('0000:06:00.0', { ...NIC, resources });
    const lines = String(await read('devices/0000:06:00.0/resource'))
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(13);
    expect(lines[0]).toBe('0x00000000febc0000 0x00000000febdffff 0x0000000000040200');
    expect(lines[1]).toBe('0x0000000000000000 0x0000000000000000 0x0000000000000000');
  });

  test('[binding:133] config is the whole space, its first 64 bytes to those without privilege', async () => {
    const { core, sysfs } = fixture();
    const config = () => sysfs.read(`/sys/bus/pci/devices/${A}/config`);
    expect(await config()).toHaveLength(4096);
    core.privileged = false;
    expect(await config()).toHaveLength(64);
  });

  test('[binding:134] the node may be unknown', async () => {
    const { read } = fixture();
    expect(await read(`devices/${A}/numa_node`)).toBe('-1\n');
  });

  test('[binding:135] reset takes the number 1 only, and is absent where nothing can reset', async () => {
    const { write, read } = fixture();
    expect(await write(`devices/${A}/reset`, '2')).toBe(-22);
    expect(await write(`devices/${A}/reset`, '1')).toBe(1);
    expect(await write(`devices/${B}/reset`, '1')).toBe(-2);
    expect(await read(`devices/${B}/reset_method`)).toBe(-2);
  });

  test('[binding:135] reset_method takes supported names, none, or the default', async () => {
    const { write, read } = fixture();
    const file = `devices/${A}/reset_method`;
    expect(await read(file)).toBe('flr pm\n');
    expect(await write(file, 'bogus')).toBe(-22);
    expect(await write(file, 'bus')).toBe(-22);
    expect(await read(file)).toBe('flr pm\n');
    expect(await write(file, 'pm')).toBe(2);
    expect(await read(file)).toBe('pm\n');
    await write(file, '\n');
    expect(await read(file)).toBe('\n');
    await write(file, 'default');
    expect(await read(file)).toBe('flr pm\n');
  });

  test('[binding:136] enable counts, but not under a driver, and not below zero', async () => {
    const { write, read } = fixture();
    expect(await write(`devices/${A}/enable`, '1')).toBe(-16);
    expect(await write(`devices/${B}/enable`, '0')).toBe(-5);
    await write(`devices/${B}/enable`, '1');
    expect(await read(`devices/${B}/enable`)).toBe('1\n');
    expect(await write(`devices/${B}/enable`, 'x')).toBe(-22);
  });

  test('[binding:137] a ROM has to be enabled before it is read', async () => {
    const { write, sysfs } = fixture();
    const rom = `/sys/bus/pci/devices/${A}/rom`;
    expect(await sysfs.read(rom)).toBe(-22);
    await write(`devices/${A}/rom`, '1');
    expect(await sysfs.read(rom)).toEqual(Uint8Array.of(0x55, 0xaa));
    await write(`devices/${A}/rom`, '0');
    expect(await sysfs.read(rom)).toBe(-22);
  });

  test('boot_vga belongs to VGA controllers', async () => {
    const { read } = fixture();
    expect(await read(`devices/${G}/boot_vga`)).toBe('1\n');
    expect(await read(`devices/${P}/boot_vga`)).toBe(-2);
  });
});
