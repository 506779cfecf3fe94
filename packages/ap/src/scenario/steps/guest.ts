import { VfioError } from '@vfiokit/uapi';
import * as v from 'valibot';
import { formatApqn } from '../../arch/apqn.js';
import { encodeAqic, encodePqap, PQAP } from '../../arch/pqap.js';
import {
  AP_RESPONSE,
  formatResponseCode,
  type QueueStatus,
  responseCode,
} from '../../arch/queue-status.js';
import type { ApWorld } from '../../design/ap-design.js';
import type { Guest } from '../../guest/guest.js';
import { GuestInstructions } from '../../guest/guest-instructions.js';
import { openVmmFiles } from '../../guest/vmm-files.js';
import { handlePqap } from '../../kvm/pqap.js';
import type { EmulatedDevice } from '../../vfio/emulated-device.js';
import { stepKind } from '../step-kind.js';
import { flag, number, queue, text } from './fields.js';

const guestAndMatrix = v.strictObject({ guest: text, matrix: text });

/** Where a guest has its notification indicator byte unless a scenario says. */
const NIB = 0x5000;
const ISC = 3;

/** What a VMM does, and the guest in it. */
export const GUEST_STEPS = {
  start: stepKind(
    'VMM',
    v.strictObject({
      guest: text,
      matrix: v.optional(text),
      door: v.optional(v.picklist(['group', 'cdev'])),
      boot: v.optional(flag, 'no'),
      /** Does not let go of its device when it is asked to. */
      stubborn: v.optional(flag, 'no'),
      protected: v.optional(flag, 'no'),
    }),
    ({ guest, matrix, boot }) =>
      `start ${guest}${matrix === undefined ? '' : ` with ${matrix}`}${boot ? ' and boot its Linux' : ''}`,
    (world, input) => {
      const guest = world.partition.startGuest({
        name: input.guest,
        ignoresRequests: input.stubborn,
        protected: input.protected,
      });
      try {
        if (input.matrix !== undefined) guest.plug(deviceOf(world, input.matrix), input.door);
      } catch (error) {
        // A VMM that does not get a device it is to start with does not start.
        guest.exit();
        throw error;
      }
      if (input.boot) guest.boot();
    },
  ),
  plug: stepKind(
    'VMM',
    guestAndMatrix,
    ({ guest, matrix }) => `plug ${matrix} into ${guest}`,
    (world, { guest, matrix }) => guestOf(world, guest).plug(deviceOf(world, matrix)),
  ),
  open_second: stepKind(
    'VMM',
    guestAndMatrix,
    ({ guest, matrix }) => `open ${matrix} for ${guest} beside what it has`,
    (world, { guest, matrix }) => {
      const { kvm, kvmVfio } = guestOf(world, guest);
      const files = openVmmFiles('group', world.partition.dev, deviceOf(world, matrix), kvm);
      try {
        files.addToKvm(kvmVfio);
        files.openDevice();
      } catch (error) {
        files.close();
        throw error;
      }
    },
  ),
  unplug: stepKind(
    'VMM',
    text,
    (guest) => `unplug the device of ${guest}`,
    (world, guest) => guestOf(world, guest).unplug(),
  ),
  exit: stepKind(
    'VMM',
    text,
    (guest) => `end ${guest}, or kill it`,
    (world, guest) => guestOf(world, guest).exit(),
  ),
  migrate: stepKind(
    'VMM',
    text,
    (guest) => `move ${guest} to another host`,
    (world, guest) => guestOf(world, guest).migrate(),
  ),
  unmap: stepKind(
    'VMM',
    v.strictObject({ guest: text, address: number }),
    ({ guest, address }) => `unmap the storage around 0x${address.toString(16)} of ${guest}`,
    (world, { guest, address }) => guestOf(world, guest).device?.unmap(address),
  ),
  boot: stepKind(
    'guest',
    text,
    (guest) => `boot Linux in ${guest}`,
    (world, guest) => guestOf(world, guest).boot(),
  ),
  reboot: stepKind(
    'guest',
    text,
    (guest) => `reboot ${guest}`,
    (world, guest) => guestOf(world, guest).reboot(),
  ),
  halt: stepKind(
    'guest',
    text,
    (guest) => `halt the CPUs of ${guest}`,
    (world, guest) => guestOf(world, guest).halt(),
  ),
  use: stepKind(
    'guest',
    v.strictObject({ guest: text, queue }),
    (input) => `send a request from ${input.guest} to ${formatApqn(input.queue)}`,
    (world, input) => {
      const ap = new GuestInstructions(guestOf(world, input.guest).kvm);
      return inWords(ap.nqap(input.queue, { id: 1, text: input.guest }));
    },
  ),
  irq: stepKind(
    'guest',
    v.strictObject({ guest: text, queue, on: flag, nib: v.optional(number) }),
    (input) =>
      `switch interrupts of ${formatApqn(input.queue)} ${input.on ? 'on' : 'off'} in ${input.guest}`,
    (world, input) => {
      const outcome = handlePqap(guestOf(world, input.guest).kvm, {
        gr0: encodePqap(PQAP.AQIC, input.queue),
        gr1: encodeAqic(input.on, ISC),
        gr2: BigInt(input.nib ?? NIB),
      });
      return outcome.kind === 'done' ? inWords(Number(outcome.gr1 & 0xffff_ffffn)) : outcome.kind;
    },
  ),
} as const;

function guestOf(world: ApWorld, name: string): Guest {
  const guest = world.partition.guests.get(name);
  if (guest === undefined)
    throw new VfioError('ENOENT', `guest "${name}": does not run; start it first`);
  return guest;
}

function deviceOf(world: ApWorld, matrix: string): EmulatedDevice {
  const view = world.matrices.get(matrix);
  if (view === undefined)
    throw new VfioError('ENOENT', `${matrix}: there is no such matrix; create it first`);
  return view.device;
}

function inWords(status: QueueStatus): string {
  const code = responseCode(status);
  return code === AP_RESPONSE.NORMAL ? 'ok' : `RC ${formatResponseCode(code)}`;
}
