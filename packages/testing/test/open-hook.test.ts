import type { OpenHook, OpeningDevice } from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import { openHookCases } from '../src/contracts/open-hook.js';
import { describeOpenHook, type OpenHookSubject, StubOpening } from '../src/index.js';
import { describeBroken, fail } from './broken.js';
import { plugFunction } from './function.js';

/** A hook that registers the function's doorbells with the machine, which has none for functions that it does not know. */
function registering(
  open = (device: OpeningDevice, machine: string[], isKnown: boolean): void => {
    machine.push(device.name);
    device.defer(() => machine.pop());
    if (!isKnown) throw new VfioError('ENODEV', `${device.name}: the machine does not know it`);
  },
): OpenHookSubject {
  const machine: string[] = [];
  const device = new StubOpening(plugFunction());
  const hook: OpenHook = {
    // The suite hands over what stands in front of the device.
    open: (opening) => open(opening, machine, opening.vconfig === device.vconfig),
  };
  return { hook, device, refused: new StubOpening(plugFunction()), state: () => machine };
}

describeOpenHook('a registration', registering);

describeOpenHook('a hook that uses what the device keeps to itself', () => ({
  hook: { open: (device) => void device.fixedRegion(0).read(0, 4) },
  device: new StubOpening(plugFunction()),
}));

describeBroken('an open hook', openHookCases, {
  'has opened the device when it returns': () => registering(async () => {}),
  'opens a device again after a close': () =>
    registering((_device, machine) => {
      if (machine.push('opened once') > 1) fail();
    }),
  'takes back what it changed when the device is closed': () =>
    registering((device, machine) => {
      machine.push(device.name);
    }),
  'refuses a device with an errno, and what it changed is taken back': () =>
    registering((device, machine, isKnown) => {
      machine.push(device.name);
      if (!isKnown) throw new VfioError('ENODEV', `${device.name}: the machine does not know it`);
      device.defer(() => machine.pop());
    }),
});
