import type { AdapterState } from '../arch/adapter.js';
import { APQN_COUNT, type Apqn, apidOf, formatApqn } from '../arch/apqn.js';
import { type ApMatrix, matrixHas, queuesOf } from '../arch/matrix.js';
import { AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import type { GuestState } from '../guest/guest.js';
import type { ApWorld } from './ap-design.js';

/** How a queue stands, seen from outside. */
export interface QueueObservation {
  readonly apqn: Apqn;
  /** Whether the partition has it. */
  readonly present: boolean;
  /** Whether the host's AP bus has a device for it. */
  readonly onBus: boolean;
  /** The driver that the device is bound to. */
  readonly driver: string | undefined;
  /** The matrix that it is assigned to. */
  readonly matrix: string | undefined;
  /** The guests whose instructions reach it. There is never more than one. */
  readonly guests: readonly string[];
  /** Whether programs of the host reach it: bound to a driver of the host's own. */
  readonly host: boolean;
  /** Whether messages or secrets may lie in it. */
  readonly used: boolean;
  /** Whether its interrupts are on. */
  readonly irq: boolean;
  readonly adapter: AdapterState;
}

/** How a machine stands, seen from outside. */
export interface WorldObservation {
  /** The queues that the partition has, and those of which the host does not know yet that they are gone. */
  readonly queues: ReadonlyMap<Apqn, QueueObservation>;
  /** The cards of the host's AP bus, by adapter. */
  readonly cards: ReadonlyMap<number, { readonly config: boolean; readonly chkstop: boolean }>;
  readonly matrices: ReadonlyMap<
    string,
    { readonly assigned: ApMatrix; readonly passed: ApMatrix; readonly guest: string | undefined }
  >;
  readonly guests: ReadonlyMap<
    string,
    {
      readonly state: GuestState;
      /** What its Linux knows. */
      readonly known: readonly Apqn[];
      readonly configEvents: number;
      readonly plugged: boolean;
    }
  >;
}

/** Looks at everything. Changes nothing. */
export function observe(world: ApWorld): WorldObservation {
  const { partition, kernel, matrices } = world;
  const { hardware } = partition;
  const guests = [...partition.guests.values()];
  const effective = guests.map((guest) => ({ guest, masks: guest.kvm.effective }));
  const queues = new Map<Apqn, QueueObservation>();
  const apqns = new Set(queuesOf(hardware.configuration));
  for (const { apqn } of kernel.bus.queues()) apqns.add(apqn);
  for (const apqn of [...apqns].sort((a, b) => a - b)) {
    const present = responseCode(hardware.tapq(apqn)) !== AP_RESPONSE.Q_NOT_AVAIL;
    const device = kernel.bus.queue(apqn);
    if (!present && device === undefined) continue;
    const driver = device && kernel.bus.driverOf(device);
    queues.set(apqn, {
      apqn,
      present,
      onBus: device !== undefined,
      driver: driver?.name,
      matrix: [...matrices.values()].find(({ assigned }) => matrixHas(assigned, apqn))?.id,
      guests: effective
        .filter(({ masks }) => matrixHas(masks, apqn))
        .map(({ guest }) => guest.name),
      host: driver?.isDefault ?? false,
      used: hardware.holdsSecrets(apqn),
      irq: hardware.interruptsEnabled(apqn),
      adapter: hardware.stateOf(apidOf(apqn)) ?? 'standby',
    });
  }
  return {
    queues,
    cards: new Map(
      [...kernel.bus.cards].map(([apid, { config, chkstop }]) => [apid, { config, chkstop }]),
    ),
    matrices: new Map(
      [...matrices].map(([id, { assigned, passed, kvm }]) => [
        id,
        { assigned, passed, guest: kvm?.name },
      ]),
    ),
    guests: new Map(
      guests.map((guest) => [
        guest.name,
        {
          state: guest.state,
          known: [...(guest.linux?.bus.queues() ?? [])].map(({ apqn }) => apqn),
          configEvents: guest.configEvents,
          plugged: guest.device !== undefined,
        },
      ]),
    ),
  };
}

/**
 * What must never be: a queue that two guests can use, or a guest and the host. Empty as long as all is well.
 *
 * Secure keys live in a queue, which is why every design is judged by this.
 */
export function violations(world: ApWorld): readonly string[] {
  const { partition, kernel } = world;
  const users = new Uint8Array(APQN_COUNT);
  const problems: string[] = [];
  for (const guest of partition.guests.values())
    for (const apqn of guest.usableQueues) {
      users[apqn]! += 1;
      if (users[apqn]! > 1) problems.push(`${formatApqn(apqn)}: usable by two guests`);
      const device = kernel.bus.queue(apqn);
      if (device !== undefined && kernel.bus.driverOf(device)?.isDefault)
        problems.push(`${formatApqn(apqn)}: usable by guest "${guest.name}" and by the host`);
    }
  return problems;
}
