import type { Binder, JournalRecord } from '@vfiokit/binder';
import { VfioError } from '@vfiokit/uapi';
import { binderFor, openBinding, warnOfDamage } from '../binding/machine.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';
import type { Io } from '../io.js';
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
    const { records, damaged } = await readJournals(binder, io);
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
    for (const { id, state, current } of transactions)
      if (current && state === 'needs-attention')
        io.warn(`${id}: look at its devices; vfiokit restore then tries again to give them back`);
      else if (current && state !== 'committed')
        io.warn(`${id}: is unfinished; vfiokit restore --recover finishes it`);
    return status;
  },
});

/** Journals are root's; what devices are bound to, anybody may see. */
async function readJournals(
  binder: Binder,
  io: Io,
): Promise<{ readonly records: readonly JournalRecord[]; readonly damaged: boolean }> {
  try {
    return { records: await binder.records(), damaged: await warnOfDamage(binder, io) };
  } catch (error) {
    if (!(error instanceof VfioError && error.code === 'EACCES')) throw error;
    io.warn(error.message);
    return { records: [], damaged: true };
  }
}
