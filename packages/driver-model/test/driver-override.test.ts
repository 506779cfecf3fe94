import { describe, expect, test } from 'vitest';
import { A, B, fixture, nic } from './fixture.js';

const shown = (name: string) => `devices/${name}/driver_override`;

describe('driver_override', () => {
  test('[binding:11] reads (null) when it is not set', async () => {
    const { read } = fixture();
    expect(await read(shown(A))).toBe('(null)\n');
  });

  test.each([
    ['[binding:13] a name', 'vfio-pci', 'vfio-pci\n'],
    ['[binding:14] a name and a newline', 'vfio-pci\n', 'vfio-pci\n'],
    ['[binding:15] what comes after a newline is ignored', 'vfio-pci\nfoo', 'vfio-pci\n'],
    ['[binding:16] what comes after a NUL is ignored', 'vfio-pci\0junk', 'vfio-pci\n'],
  ])('%s', async (_, text, value) => {
    const { override, read } = fixture();
    expect(await override(A, text)).toBe(text.length);
    expect(await read(shown(A))).toBe(value);
  });

  test.each([
    ['[binding:17] a newline', '\n'],
    ['[binding:18] a NUL', '\0'],
  ])('%s clears it', async (_, text) => {
    const { override, read } = fixture();
    await override(A, 'x');
    expect(await override(A, text)).toBe(1);
    expect(await read(shown(A))).toBe('(null)\n');
  });

  test('[binding:19] a space is a name that no driver has', async () => {
    const { override, unbind, bind, probe, driverOf } = fixture();
    expect(await override(A, ' ')).toBe(1);
    await unbind('e1000e', A);
    expect(await bind('e1000e', A)).toBe(-19);
    expect(await probe(A)).toBe(12);
    expect(await driverOf(A)).toBeUndefined();
  });

  test('[binding:20] takes 4094 bytes; 4095 are refused and change nothing', async () => {
    const { override, read } = fixture();
    expect(await override(A, 'a'.repeat(4094))).toBe(4094);
    expect(await override(A, 'b'.repeat(4095))).toBe(-22);
    expect(await read(shown(A))).toBe(`${'a'.repeat(4094)}\n`);
  });

  test('[binding:21 binding:22] leaves the binding as it is and probes nothing', async () => {
    const { core, override, driverOf, actions } = fixture();
    const before = core.uevents.events.length;
    expect(await override(A, 'no-such-driver')).toBe(14);
    expect(await override(A, 'vfio-pci')).toBe(8);
    expect(await driverOf(A)).toBe('e1000e');
    expect(await override(B, 'e1000e')).toBe(6);
    expect(await driverOf(B)).toBeUndefined();
    expect(actions(before)).toEqual([]);
  });

  test('[binding:23] is compared with the driver name, not the module name', async () => {
    const { override, bind } = fixture();
    await override(B, 'vfio_pci');
    expect(await bind('vfio-pci', B)).toBe(-19);
  });

  test('[binding:24] an override that nobody has keeps the device unbound', async () => {
    const { override, probe, driverOf } = fixture();
    await override(B, 'none');
    expect(await probe(B)).toBe(12);
    expect(await driverOf(B)).toBeUndefined();
  });

  test('[binding:25] survives unbinding and drivers that come and go; dies with the device', async () => {
    const { pci, drivers, root, override, unbind, write, read, willFind } = fixture();
    await override(A, 'e1000e');
    await unbind('e1000e', A);
    await pci.unregister(drivers.e1000e);
    pci.register(drivers.e1000e);
    expect(await read(shown(A))).toBe('e1000e\n');
    willFind(() => nic(A, root));
    await write(`devices/${A}/remove`, '1');
    await write('rescan', '1');
    expect(await read(shown(A))).toBe('(null)\n');
  });

  test('[binding:26] an override waits for its driver to be registered', async () => {
    const { pci, override, driverOf } = fixture();
    await override(B, 'latedrv');
    pci.register({ name: 'latedrv', ids: [], probe: () => 0 });
    expect(await driverOf(B)).toBe('latedrv');
  });

  test('[binding:27] a driver that is registered while nothing is probed by itself gets nothing', async () => {
    const { pci, override, driverOf } = fixture();
    await override(B, 'latedrv');
    pci.driversAutoprobe = false;
    pci.register({ name: 'latedrv', ids: [], probe: () => 0 });
    expect(await driverOf(B)).toBeUndefined();
  });
});
