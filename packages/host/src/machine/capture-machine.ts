import { SILICON } from '@vfiokit/core';
import { baseName, NO_OVERRIDE, readText, type Sysfs } from '@vfiokit/driver-model';
import { capturedSilicon } from './captured-silicon.js';
import { describeCapture } from './describe-capture.js';
import { Machine, type MachineOptions } from './machine.js';

/** What is known of a captured machine besides its files. */
export interface CaptureMachineOptions extends MachineOptions {
  /** In uname's words; x86_64 if it is none that is modelled, or not known. */
  readonly architecture?: string | undefined;
}

/**
 * A captured, or the running, machine as a model on which things can be done: what {@link describeCapture} tells of it,
 * and its functions as they were captured.
 */
export async function captureMachine(
  sysfs: Sysfs,
  name: string,
  options: CaptureMachineOptions = {},
): Promise<Machine> {
  const silicon = await capturedSilicon(sysfs);
  const machine = new Machine(await describeCapture(sysfs, name, options.architecture), {
    ...options,
    register: (container, description) => {
      container.register(SILICON, { useValue: silicon });
      options.register?.(container, description);
    },
  });
  await bindVfs(sysfs, machine.sysfs);
  return machine;
}

const BUS = '/sys/bus/pci';

/** VFs appear on the driver that takes them by itself; who has another one was given it by hand, and is again. */
async function bindVfs(capture: Sysfs, model: Sysfs): Promise<void> {
  const names = await capture.list(`${BUS}/devices`);
  for (const name of typeof names === 'number' ? [] : names) {
    const folder = `${BUS}/devices/${name}`;
    if (typeof (await capture.readLink(`${folder}/physfn`)) === 'number') continue;
    const [wanted, now] = [await driverOf(capture, folder), await driverOf(model, folder)];
    const captured = await readText(capture, `${folder}/driver_override`);
    const override = typeof captured === 'number' ? '' : captured.trim();
    if (override !== '' && override !== NO_OVERRIDE)
      await model.write(`${folder}/driver_override`, override);
    if (wanted === now) continue;
    if (now !== undefined) await model.write(`${BUS}/drivers/${now}/unbind`, name);
    if (wanted !== undefined) await model.write(`${BUS}/drivers/${wanted}/bind`, name);
  }
}

async function driverOf(sysfs: Sysfs, folder: string): Promise<string | undefined> {
  const link = await sysfs.readLink(`${folder}/driver`);
  return typeof link === 'number' ? undefined : baseName(link);
}
