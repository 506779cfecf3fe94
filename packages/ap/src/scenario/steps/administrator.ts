import { VfioError } from '@vfiokit/uapi';
import * as v from 'valibot';
import { formatApqn } from '../../arch/apqn.js';
import { controlsOf, stepKind } from '../step-kind.js';
import {
  assignment,
  dimensions,
  flag,
  forEachDimension,
  forEachOf,
  id,
  inWords,
  queue,
  shown,
  text,
} from './fields.js';

const queueAndDriver = v.strictObject({ queue, driver: text });

/** What an administrator of the host does. */
export const ADMINISTRATOR_STEPS = {
  modprobe: stepKind(
    'administrator',
    v.literal('vfio_ap'),
    () => 'load vfio_ap',
    (world) => controlsOf(world).load(),
  ),
  rmmod: stepKind(
    'administrator',
    v.literal('vfio_ap'),
    () => 'unload vfio_ap',
    (world) => controlsOf(world).unload(),
  ),
  apmask: stepKind(
    'administrator',
    text,
    (mask) => `write ${mask} to apmask`,
    (world, mask) => controlsOf(world).setMask('apmask', mask),
  ),
  aqmask: stepKind(
    'administrator',
    text,
    (mask) => `write ${mask} to aqmask`,
    (world, mask) => controlsOf(world).setMask('aqmask', mask),
  ),
  override: stepKind(
    'administrator',
    queueAndDriver,
    (input) =>
      input.driver === ''
        ? `clear driver_override of ${formatApqn(input.queue)}`
        : `set driver_override of ${formatApqn(input.queue)} to ${input.driver}`,
    (world, input) => controlsOf(world).override(formatApqn(input.queue), input.driver),
  ),
  bind: stepKind(
    'administrator',
    queueAndDriver,
    (input) => `bind ${formatApqn(input.queue)} to ${input.driver}`,
    (world, input) => controlsOf(world).bind(formatApqn(input.queue), input.driver),
  ),
  unbind: stepKind(
    'administrator',
    queue,
    (apqn) => `unbind ${formatApqn(apqn)} from its driver`,
    (world, apqn) => controlsOf(world).unbind(formatApqn(apqn)),
  ),
  probe: stepKind(
    'administrator',
    queue,
    (apqn) => `have drivers probe ${formatApqn(apqn)}`,
    (world, apqn) => controlsOf(world).probe(formatApqn(apqn)),
  ),
  free: stepKind(
    'administrator',
    dimensions,
    (what) => `take ${inWords(what)} from the host`,
    (world, what) => forEachDimension(what, (one, n) => world.free(one, n)),
  ),
  reclaim: stepKind(
    'administrator',
    dimensions,
    (what) => `want ${inWords(what)} back for the host`,
    (world, what) => forEachDimension(what, (one, n) => world.reclaim(one, n)),
  ),
  create: stepKind(
    'administrator',
    text,
    (matrix) => `create matrix ${matrix}`,
    (world, matrix) => world.create(matrix),
  ),
  remove: stepKind(
    'administrator',
    text,
    (matrix) => `remove matrix ${matrix}`,
    (world, matrix) => world.remove(matrix),
  ),
  assign: stepKind(
    'administrator',
    assignment,
    (input) => `assign ${inWords(input)} to ${input.matrix}`,
    (world, input) => forEachOf(input, (what, n) => world.assign(input.matrix, what, n)),
  ),
  unassign: stepKind(
    'administrator',
    assignment,
    (input) => `unassign ${inWords(input)} from ${input.matrix}`,
    (world, input) => forEachOf(input, (what, n) => world.unassign(input.matrix, what, n)),
  ),
  ap_config: stepKind(
    'administrator',
    v.strictObject({ matrix: text, masks: text }),
    ({ matrix, masks }) => `write ${masks} to ap_config of ${matrix}`,
    (world, { matrix, masks }) => controlsOf(world).setApConfig(matrix, masks),
  ),
  scan: stepKind(
    'administrator',
    v.literal('now'),
    () => 'have the host look at its configuration',
    (world) => world.rescan(),
  ),
  card: stepKind(
    'administrator',
    v.strictObject({ adapter: id, configured: flag }),
    ({ adapter, configured }) =>
      `${configured ? 'configure' : 'deconfigure'} adapter ${shown(adapter)} through the console`,
    ({ kernel }, { adapter, configured }) => {
      const card = kernel.bus.cards.get(adapter);
      if (card === undefined)
        throw new VfioError('ENODEV', `adapter ${adapter}: the host has no such card`);
      kernel.configure(card, configured);
    },
  ),
} as const;
