import type { Target } from '@vfiokit/binder';
import { binderFor, namedDevices, openBinding } from '../binding/machine.js';
import { reportResults } from '../binding/report.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';

/** Gives devices back: what was bound here goes back to what it was, anything else is unbound. */
export const unbind = command({
  name: 'unbind',
  summary: 'give devices back to the drivers they had; unbind those that were not bound here',
  examples: ['unbind 0000:17:00.2'],
  args: {
    device: { type: 'positional', required: true, description: 'Addresses, such as 0000:00:02.0' },
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, machine, io }) {
    const opened = await openBinding(machine);
    const devices = new Set(namedDevices(opened, args._));
    const binder = binderFor(opened);
    const released = await binder.release(({ intent }) =>
      intent.targets.some(({ device }) => devices.has(device)),
    );
    const records = await binder.records();
    const left = [...devices].filter(
      (device) =>
        !records.some(({ intent }) => intent.targets.some((one) => one.device === device)),
    );
    const foreign = left.filter(
      (device) => released.length === 0 && opened.input.host.devices.get(device)!.driver.value,
    );
    const targets = foreign.map((device): Target => {
      const { driver, override } = opened.input.host.devices.get(device)!;
      return {
        device,
        driver: null,
        before: { driver: driver.value ?? null, override: override.value ?? null },
      };
    });
    const unbound = targets.length > 0 ? [await binder.bind(targets)] : [];
    const results = [...released, ...unbound];
    if (args.json) {
      io.json(results);
      return results.every(({ state }) => state === 'committed' || state === 'released')
        ? EXIT_OK
        : EXIT_NO;
    }
    for (const { device } of targets)
      io.print(`${device}: unbound, and kept so by its override; vfiokit restore takes that back`);
    if (results.length === 0) io.print('nothing to do: the devices are bound to nothing');
    return reportResults(io, results);
  },
});
