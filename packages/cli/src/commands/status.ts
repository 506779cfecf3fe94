import { binderFor, openBinding, warnOfDamage } from '../binding/machine.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';
import { table } from '../output.js';

/** Lists transactions and the devices that VFIO has. */
export const status = command({
  name: 'status',
  summary: 'list transactions of this boot, and what VFIO drivers have',
  examples: ['status', '--machine capture.tar.gz status'],
  args: { json: JSON_OPTION },
  async run({ args, machine, io }) {
    const opened = await openBinding(machine);
    const { host, usage } = opened.input;
    const binder = binderFor(opened);
    const records = await binder.records();
    const damaged = await warnOfDamage(binder, io);
    const transactions = records.map(({ intent, state }) => ({
      id: intent.id,
      state,
      current: intent.bootId === host.bootId,
      devices: intent.targets.map(({ device, driver, before }) => ({
        device,
        driver,
        before: before.driver,
      })),
    }));
    const devices = [...host.devices.values()]
      .filter(({ vfioDevices, override }) => vfioDevices.length > 0 || override.value)
      .map(({ name, driver, override, group, vfioDevices }) => ({
        device: name,
        driver: driver.value ?? null,
        override: override.value ?? null,
        group: group.value ?? null,
        vfioDevices,
        users: usage.users.get(name) ?? [],
      }));
    const unfinished = transactions.some(({ state, current }) => current && state !== 'committed');
    const status = unfinished || damaged ? EXIT_NO : EXIT_OK;
    if (args.json) {
      io.json({ transactions, devices });
      return status;
    }
    for (const { id, state, current, devices: all } of transactions)
      io.print(
        `${id}: ${state}${current ? '' : ', of an earlier boot'}: ${all.map(({ device, driver, before }) => `${device} ${before ?? '-'} → ${driver ?? '-'}`).join(', ')}`,
      );
    const rows = devices.map(({ device, driver, override, group, vfioDevices, users }) => [
      device,
      driver ?? '-',
      override ?? '-',
      group ?? '-',
      vfioDevices.join(' ') || '-',
      users.map(({ pid, command: name }) => `${pid} (${name})`).join(' ') || '-',
    ]);
    const header = ['device', 'driver', 'override', 'group', 'vfio', 'used by'];
    if (rows.length > 0) for (const line of table(rows, { header })) io.print(line);
    else io.print('no device is on a VFIO driver or has an override');
    if (unfinished) io.warn('a transaction is unfinished; vfiokit restore --recover finishes it');
    return status;
  },
});
