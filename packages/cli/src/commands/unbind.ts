import { describeProcesses, type Target } from '@vfiokit/binder';
import {
  binderFor,
  interruptible,
  namedDevices,
  onBlocked,
  openBinding,
  openSimulation,
  refuseCapture,
  SIMULATE_OPTION,
  WAIT_OPTION,
} from '../binding/machine.js';
import { isFine, reportResults } from '../binding/report.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';

/** Gives devices back: what was bound here goes back to what it was, anything else is unbound. */
export const unbind = command({
  name: 'unbind',
  summary: 'give devices back to the drivers they had; unbind those that were not bound here',
  examples: [
    'unbind 0000:17:00.2',
    'unbind 0000:17:00.2 --wait',
    '--machine vm-q35-sriov-vfio unbind 0000:01:10.0 --simulate',
  ],
  args: {
    device: { type: 'positional', required: true, description: 'Addresses, such as 0000:00:02.0' },
    wait: WAIT_OPTION,
    simulate: SIMULATE_OPTION,
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, machine, io }) {
    const opened = args.simulate ? await openSimulation(machine) : await openBinding(machine);
    const { host, usage } = opened.input;
    const devices = new Set(namedDevices(opened, args._));
    const binder = binderFor(opened, { onBlocked: onBlocked(io) });
    const records = await binder.records();
    const released = await interruptible(opened, io, () =>
      binder.release(
        ({ intent }) => intent.targets.some(({ device }) => devices.has(device)),
        args.wait,
      ),
    );
    const ours = new Set(
      records
        .filter(({ intent }) => intent.bootId === host.bootId)
        .flatMap(({ intent }) => intent.targets.map(({ device }) => device)),
    );
    const foreign = [...devices].filter(
      (device) => !ours.has(device) && host.devices.get(device)!.driver.value,
    );
    const busy = args.wait ? [] : foreign.filter((device) => usage.users.has(device));
    const targets = foreign
      .filter((device) => !busy.includes(device))
      .map((device): Target => {
        const { driver, override } = host.devices.get(device)!;
        return {
          device,
          driver: null,
          before: { driver: driver.value ?? null, override: override.value ?? null },
        };
      });
    if (targets.length > 0) refuseCapture(opened);
    const unbound =
      targets.length > 0 ? [await interruptible(opened, io, () => binder.bind(targets))] : [];
    const results = [...released, ...unbound];
    for (const device of busy)
      io.warn(
        `${device}: is in use by ${describeProcesses(usage.users.get(device)!)}; stop that first, or say --wait`,
      );
    const modelled = opened.sysfs.kind === 'model';
    if (args.json) io.json(results);
    else {
      for (const { device } of targets)
        io.print(
          `${device}: unbound, and kept so by its override${modelled ? '' : '; vfiokit restore takes that back'}`,
        );
      if (results.length + busy.length === 0)
        io.print('nothing to do: the devices are bound to nothing');
      reportResults(io, results);
      if (results.length > 0 && modelled)
        io.print(`on a model of ${machine.name}, which ends with this command`);
    }
    return busy.length === 0 && isFine(results) ? EXIT_OK : EXIT_NO;
  },
});
