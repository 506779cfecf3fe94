import { VfioError } from '@vfiokit/uapi';
import * as v from 'valibot';
import { formatApqn } from '../../arch/apqn.js';
import { ApMask } from '../../arch/mask.js';
import { stepKind } from '../step-kind.js';
import { flag, id, ids, number, queue, shown } from './fields.js';

/** What happens to the machine: by its operator at the console, by itself, by programs of the host, by time. */
export const MACHINE_STEPS = {
  add_adapter: stepKind(
    'operator',
    v.strictObject({
      adapter: id,
      type: v.optional(number),
      compatible_type: v.optional(number),
      ap4kc: v.optional(flag),
    }),
    ({ adapter }) => `give the partition adapter ${shown(adapter)}`,
    ({ partition }, { adapter, type, compatible_type: compatibleType, ap4kc }) =>
      partition.hardware.addAdapter(adapter, {
        ...(type !== undefined && { type }),
        ...(compatibleType !== undefined && { compatibleType }),
        ...(ap4kc !== undefined && { functions: { ap4kc } }),
      }),
  ),
  remove_adapter: stepKind(
    'operator',
    id,
    (adapter) => `take adapter ${shown(adapter)} from the partition`,
    ({ partition }, adapter) => partition.hardware.removeAdapter(adapter),
  ),
  domains: stepKind(
    'operator',
    ids,
    (domains) => `give the partition domains ${domains.map(shown).join(', ')} and no others`,
    ({ partition }, domains) => partition.hardware.configure({ aqm: ApMask.from(domains) }),
  ),
  control_domains: stepKind(
    'operator',
    ids,
    (domains) =>
      `give the partition control domains ${domains.map(shown).join(', ')} and no others`,
    ({ partition }, domains) => partition.hardware.configure({ adm: ApMask.from(domains) }),
  ),
  standby: stepKind(
    'operator',
    id,
    (adapter) => `put adapter ${shown(adapter)} into standby`,
    ({ partition }, adapter) => partition.hardware.setState(adapter, 'standby'),
  ),
  configure: stepKind(
    'operator',
    id,
    (adapter) => `configure adapter ${shown(adapter)} again`,
    ({ partition }, adapter) => partition.hardware.setState(adapter, 'configured'),
  ),
  checkstop: stepKind(
    'hardware',
    id,
    (adapter) => `adapter ${shown(adapter)} stops with an error`,
    ({ partition }, adapter) => partition.hardware.setState(adapter, 'checkstopped'),
  ),
  request: stepKind(
    'host program',
    queue,
    (apqn) => `send a request to ${formatApqn(apqn)}`,
    ({ kernel }, apqn) => {
      const device = kernel.bus.queue(apqn);
      if (device === undefined || !kernel.bus.driverOf(device)?.isDefault)
        throw new VfioError('ENODEV', `${formatApqn(apqn)}: not a queue of the host's`);
      device.enqueue({ text: 'request', done: () => {} });
    },
  ),
  wait: stepKind(
    'time',
    number,
    (seconds) => `${seconds} seconds pass`,
    ({ partition }, seconds) => partition.clock.advance(seconds * 1000),
  ),
} as const;
