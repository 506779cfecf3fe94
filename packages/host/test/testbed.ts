import { Machine, type MachineOptions, shippedMachine } from '@vfiokit/host';

export const A = '0000:01:00.0';
export const B = '0000:0a:00.0';
export const P = '0000:03:00.0';
export const V = '0000:03:00.1';
export const G = '0000:04:00.0';
export const H = '0000:04:00.1';
export const R = '0000:00:01.0';
export const X = '0000:05:00.0';

/** The machine of the binding reference, section 7.0, with the real VFIO core behind its drivers. */
export function testbed(options: MachineOptions = {}) {
  const machine = new Machine(shippedMachine('testbed'), {
    ...options,
    vfioDrivers: [{ name: 'mlx5_vfio_pci', ids: [{ vendor: 0x15b3, device: 0x101e }] }],
  });
  const { sysfs } = machine;
  const bus = '/sys/bus/pci';
  const text = async (path: string) => {
    const bytes = await sysfs.read(path);
    return typeof bytes === 'number' ? bytes : new TextDecoder().decode(bytes);
  };
  return {
    machine,
    sysfs,
    text,
    read: (path: string) => text(`${bus}/${path}`),
    write: (path: string, data: string) => sysfs.write(`${bus}/${path}`, data),
    bind: (driver: string, name: string) => sysfs.write(`${bus}/drivers/${driver}/bind`, name),
    unbind: (driver: string, name: string) => sysfs.write(`${bus}/drivers/${driver}/unbind`, name),
    probe: (name: string) => sysfs.write(`${bus}/drivers_probe`, name),
    override: (name: string, value: string) =>
      sysfs.write(`${bus}/devices/${name}/driver_override`, value),
    driverOf: async (name: string) => {
      const link = await sysfs.readLink(`${bus}/devices/${name}/driver`);
      return typeof link === 'number' ? undefined : link.slice(link.lastIndexOf('/') + 1);
    },
    vfioDevices: (name: string) => sysfs.list(`${bus}/devices/${name}/vfio-dev`),
  };
}

/** Whether a promise is still pending when everything that can run has run. */
export async function pending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
  return !settled;
}
