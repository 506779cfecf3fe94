import {
  chooseReset,
  findDriver,
  type HostDevice,
  HostDevices,
  type HostDevicesOptions,
  manualDetach,
} from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';
import { A, B, G, H, IX1, IX2, R, testbed, V, X } from './testbed.js';

const GUEST = { driver: 'QEMU', domain: 'one' };
const OTHER = { driver: 'QEMU', domain: 'two' };
const managed = (address: string): HostDevice => ({ address, managed: true, stub: 'vfio' });
const unmanaged = (address: string): HostDevice => ({ address, managed: false, stub: 'vfio' });

function libvirt(
  more: Partial<HostDevicesOptions> & {
    text?: string;
    fail?: (path: string) => number | undefined;
  } = {},
) {
  const { text = IX2, fail, ...options } = more;
  const bed = testbed();
  const writes: string[] = [];
  let reads = 0;
  const tree: Sysfs = {
    kind: 'model',
    read: (path) => bed.sysfs.read(path),
    list: (path) => bed.sysfs.list(path),
    readLink: (path) => bed.sysfs.readLink(path),
    write: async (path, data) => {
      writes.push(`${path.replace('/sys/bus/pci/', '')} ${JSON.stringify(String(data))}`);
      return fail?.(path) ?? bed.sysfs.write(path, data);
    },
  };
  const devices = new HostDevices(tree, {
    loader: { load: async (module) => ({ errno: -2, message: `${module} is not there` }) },
    index: async () => {
      reads += 1;
      return text;
    },
    ...options,
  });
  return {
    ...bed,
    devices,
    writes,
    reads: () => reads,
    inactive: () => [...devices.inactive.keys()],
    active: () => [...devices.active.keys()],
  };
}

describe('detaching and reattaching as libvirt does', () => {
  test('[binding:173] override, unbind, probe; then it is inactive', async () => {
    const { devices, writes, inactive } = libvirt();
    await devices.detach(managed(A));
    expect(writes).toEqual([
      `devices/${A}/driver_override "vfio-pci"`,
      `drivers/e1000e/unbind "${A}"`,
      `drivers_probe "${A}"`,
    ]);
    expect(inactive()).toEqual([A]);
    expect(devices.inactive.get(A)?.unbindFromStub).toBe(true);
  });

  test('[binding:174] on the driver already nothing is written, neither then nor at the reattach', async () => {
    const { devices, writes, write, inactive } = libvirt();
    await write(`devices/${B}/driver_override`, 'vfio-pci');
    await write('drivers/vfio-pci/bind', B);
    await devices.detach(managed(B));
    expect(devices.inactive.get(B)?.unbindFromStub).toBe(false);
    await devices.reattach(B);
    expect(writes).toEqual([]);
    expect(inactive()).toEqual([]);
  });

  test('[binding:175] what is unbound is not unbound', async () => {
    const { devices, writes } = libvirt();
    await devices.detach(managed(B));
    expect(writes).toEqual([`devices/${B}/driver_override "vfio-pci"`, `drivers_probe "${B}"`]);
  });

  test('[binding:176] a reattach clears the override and lets the kernel choose', async () => {
    const { devices, writes, live, inactive } = libvirt();
    await devices.detach(managed(A));
    writes.length = 0;
    await devices.reattach(A);
    expect(writes).toEqual([
      `devices/${A}/driver_override "\\n"`,
      `drivers/vfio-pci/unbind "${A}"`,
      `drivers_probe "${A}"`,
    ]);
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
    expect(inactive()).toEqual([]);
  });

  test('[binding:177] a probe that fails in silence counts as success; the native mode looks', async () => {
    const compat = libvirt();
    await compat.devices.detach(managed(X));
    expect(await compat.live(X)).toEqual({ driver: null, override: 'vfio-pci' });
    const native = libvirt({ mode: 'native' });
    await expect(native.devices.detach(managed(X))).rejects.toThrow('vfio-pci did not take it');
    expect(await native.live(X)).toEqual({ driver: null, override: null });
  });

  test('the native mode gives back the driver and the override that were there; libvirt lets the kernel choose', async () => {
    for (const [mode, expected] of [
      ['native', { driver: 'e1000e', override: 'foo' }],
      ['compat', { driver: 'e1000e', override: null }],
    ] as const) {
      const { devices, live, write } = libvirt({ mode });
      await write(`devices/${A}/driver_override`, 'foo');
      await devices.detach(managed(A));
      expect((await live(A)).driver).toBe('vfio-pci');
      await devices.reattach(A);
      expect(await live(A)).toEqual(expected);
    }
  });

  test('the native mode takes a detach back that fails, under an override of its own and all', async () => {
    const { devices, live, write } = libvirt({
      mode: 'native',
      fail: (path) => (path.endsWith('drivers_probe') ? -5 : undefined),
    });
    await write(`devices/${A}/driver_override`, 'foo');
    await expect(devices.detach(managed(A))).rejects.toMatchObject({ code: 'EIO' });
    expect(await live(A)).toEqual({ driver: 'e1000e', override: 'foo' });
  });

  test('[binding:178] an override that can not be written ends it, by name', async () => {
    const { devices, writes } = libvirt({
      fail: (path) => (path.endsWith('driver_override') ? -13 : undefined),
    });
    await expect(devices.detach(managed(A))).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(new RegExp(`${A}.*vfio-pci`)),
    });
    expect(writes).toHaveLength(1);
  });

  test('[binding:192] an administrator gives back what somebody else detached', async () => {
    const { devices, write, live } = libvirt();
    await write(`devices/${A}/driver_override`, 'vfio-pci');
    await write('drivers/e1000e/unbind', A);
    await write('drivers_probe', A);
    await devices.detach(managed(A));
    await devices.reattachManually(A);
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });
});

describe('a guest', () => {
  test('[binding:179] keeps its devices: nobody detaches, reattaches or resets them', async () => {
    const { devices, writes } = libvirt();
    await devices.prepare(GUEST, [managed(A)]);
    writes.length = 0;
    for (const act of [
      () => devices.detach(managed(A)),
      () => devices.reattach(A),
      () => devices.reset(A),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'EBUSY' });
    expect(writes).toEqual([]);
  });

  test('[binding:180] does not share a group with another, but with itself', async () => {
    const { devices, writes } = libvirt();
    await devices.prepare(GUEST, [managed(H)]);
    writes.length = 0;
    await expect(devices.prepare(OTHER, [managed(G)])).rejects.toThrow(
      `${H} of the same group is in use by QEMU, guest one`,
    );
    expect(writes).toEqual([]);
    await devices.prepare(GUEST, [managed(G)]);
    expect([...devices.active.keys()].sort()).toEqual([G, H]);
  });

  test('[binding:181] gets no device that is not managed and not detached', async () => {
    const { devices, write } = libvirt();
    await expect(devices.prepare(GUEST, [unmanaged(A)])).rejects.toThrow('detach it manually');
    await write(`devices/${A}/driver_override`, 'vfio-pci');
    await write('drivers/e1000e/unbind', A);
    await write('drivers_probe', A);
    await devices.prepare(GUEST, [unmanaged(A)]);
    expect(devices.active.get(A)).toMatchObject({ driver: 'vfio-pci', usedBy: GUEST });
  });

  test('[binding:182] adopts a device on a variant by its vfio-dev', async () => {
    const { devices, write } = libvirt();
    await write(`devices/${V}/driver_override`, 'mlx5_vfio_pci');
    await write('drivers/mlx5_vfio_pci/bind', V);
    await devices.prepare(GUEST, [unmanaged(V)]);
    expect(devices.active.get(V)?.driver).toBe('mlx5_vfio_pci');
  });

  test('[binding:183] gets endpoints only', async () => {
    const { devices, writes } = libvirt();
    await expect(devices.prepare(GUEST, [managed(A), managed(R)])).rejects.toThrow(
      `${R}: only endpoints`,
    );
    expect(writes).toEqual([]);
  });

  test('[binding:184] of two devices of which one fails the other comes back; the failed one keeps its override', async () => {
    const fail = (path: string) => (path.endsWith('snd_hda_intel/unbind') ? -5 : undefined);
    const compat = libvirt({ fail });
    await expect(compat.devices.prepare(GUEST, [managed(A), managed(H)])).rejects.toMatchObject({
      code: 'EIO',
    });
    expect(await compat.live(A)).toEqual({ driver: 'e1000e', override: null });
    expect(await compat.live(H)).toEqual({ driver: 'snd_hda_intel', override: 'vfio-pci' });
    const native = libvirt({ fail, mode: 'native' });
    await expect(native.devices.prepare(GUEST, [managed(A), managed(H)])).rejects.toMatchObject({
      code: 'EIO',
    });
    expect(await native.live(H)).toEqual({ driver: 'snd_hda_intel', override: null });
  });

  test('[binding:185] gives back its own devices when it stops, no others', async () => {
    const { devices, live, active } = libvirt();
    await devices.prepare(GUEST, [managed(A)]);
    await devices.prepare(OTHER, [managed(B)]);
    await devices.release(GUEST, [A, B]);
    expect(active()).toEqual([B]);
    expect((await live(A)).driver).toBe('e1000e');
    expect((await live(B)).driver).toBe('vfio-pci');
  });

  test('[binding:186] leaves what is not managed on its stub', async () => {
    const { devices, live, inactive } = libvirt();
    await devices.detach(unmanaged(A));
    await devices.prepare(GUEST, [unmanaged(A)]);
    await devices.release(GUEST, [A]);
    expect(inactive()).toEqual([A]);
    expect((await live(A)).driver).toBe('vfio-pci');
  });

  test('[binding:187] forgets a device that has vanished', async () => {
    const { devices, write, inactive, active } = libvirt();
    await devices.prepare(GUEST, [managed(A)]);
    await write(`devices/${A}/remove`, '1');
    expect(await devices.release(GUEST, [A])).toEqual([]);
    expect([...inactive(), ...active()]).toEqual([]);
  });

  test('[binding:188] keeps its devices over a restart of the daemon; what was only detached is found again', async () => {
    const bed = libvirt();
    await bed.devices.prepare(GUEST, [managed(A)]);
    await bed.devices.detach(unmanaged(B));
    const next = new HostDevices(bed.sysfs, {
      loader: { load: async () => undefined },
      index: async () => IX2,
    });
    next.load(JSON.parse(JSON.stringify(bed.devices.save())));
    expect(next.active.get(A)).toMatchObject({ usedBy: GUEST, unbindFromStub: true });
    expect(next.inactive.size).toBe(0);
    await next.prepare(OTHER, [unmanaged(B)]);
    expect(next.active.get(B)?.usedBy).toEqual(OTHER);
  });
});

describe('choosing', () => {
  test('[binding:189] a driver that is forced is taken without a look at the index', async () => {
    const { devices, reads, live } = libvirt({ text: IX1 });
    await devices.detach({ ...managed(V), model: 'vfio-pci' });
    expect(reads()).toBe(0);
    expect((await live(V)).driver).toBe('vfio-pci');
    await devices.reattach(V);
    await devices.detach(managed(V));
    expect((await live(V)).driver).toBe('mlx5_vfio_pci');
  });

  test('[binding:190] a manual detach with "vfio" is the default choice, "kvm" is gone', () => {
    expect(manualDetach(A, 'vfio', true)).not.toHaveProperty('model');
    expect(manualDetach(A, 'mlx5_vfio_pci', true).model).toBe('mlx5_vfio_pci');
    expect(() => manualDetach(A, 'kvm', true)).toThrow(
      expect.objectContaining({ code: 'EOPNOTSUPP' }),
    );
    expect(() => manualDetach(A, undefined, false)).toThrow('has no VFIO');
  });

  test('[binding:158] an index that can not be read fails the detach; there is no fallback', async () => {
    const { devices, writes } = libvirt({ index: async () => undefined });
    await expect(devices.detach(managed(A))).rejects.toMatchObject({ code: 'EINVAL' });
    expect(writes).toEqual([]);
  });

  test('[binding:169 binding:170 binding:171] names become drivers by folder, underscore, and the links of modules', async () => {
    const { sysfs, machine } = libvirt();
    const loader = { load: async () => undefined };
    expect(await findDriver(sysfs, loader, 'vfio_pci')).toBe('vfio-pci');
    expect(await findDriver(sysfs, loader, 'mlx5-vfio-pci')).toBe('mlx5_vfio_pci');
    machine.pci.register({ name: 'xe-vfio-pci', managedDma: true, ids: [], probe: () => 0 });
    machine.core
      .module('xe_vfio_pci')
      .drivers.set('pci:xe-vfio-pci', 'where it leads does not count');
    expect(await findDriver(sysfs, loader, 'xe_vfio_pci')).toBe('xe-vfio-pci');
    await expect(findDriver(sysfs, loader, 'nothing')).rejects.toThrow(
      'reported success, and it is missing',
    );
    machine.core.module('vfio_core').references = 1;
    await expect(findDriver(sysfs, loader, 'vfio_core')).rejects.toThrow(
      'implements no PCI driver',
    );
    machine.core.module('odd').drivers.set('pci:gone', '/sys/bus/pci/drivers/gone');
    await expect(findDriver(sysfs, loader, 'odd')).rejects.toThrow(
      'links to the driver gone, which is missing',
    );
  });

  test('[binding:191] a reset: none for VFIO, FLR for VFs, power, then the bus if all its neighbours are free', () => {
    const plain = {
      address: A,
      boundToVfio: false,
      isVirtfn: false,
      flr: false,
      noSoftReset: true,
      hasPm: true,
      onRootBus: false,
      neighbours: [B],
    };
    expect(chooseReset({ ...plain, boundToVfio: true }, new Set())).toBe('kernel');
    expect(chooseReset({ ...plain, isVirtfn: true }, new Set())).toBe('flr');
    expect(chooseReset({ ...plain, noSoftReset: false }, new Set())).toBe('pm');
    expect(chooseReset(plain, new Set([B]))).toBe('bus');
    expect(() => chooseReset(plain, new Set())).toThrow(`would reset ${B} as well`);
    expect(() => chooseReset({ ...plain, onRootBus: true }, new Set([B]))).toThrow(
      'no way to reset it',
    );
  });

  test('resets are asked for before a guest starts and after it stops, and a failure undoes the start', async () => {
    const asked: string[] = [];
    const { devices, live } = libvirt({
      reset: async ({ name }) => {
        asked.push(name);
        const { VfioError } = await import('@vfiokit/uapi');
        if (asked.length === 1) throw new VfioError('EBUSY', `${name}: no`);
      },
    });
    await expect(devices.prepare(GUEST, [managed(A)])).rejects.toMatchObject({ code: 'EBUSY' });
    expect((await live(A)).driver).toBe('e1000e');
    await devices.prepare(GUEST, [managed(A)]);
    await devices.release(GUEST, [A]);
    expect(asked).toEqual([A, A, A]);
  });
});
