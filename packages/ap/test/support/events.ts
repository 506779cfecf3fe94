import {
  ApMask,
  type ApWorld,
  formatApqn,
  GuestInstructions,
  observe,
  openVmmFiles,
  violations,
} from '@vfiokit/ap';
import { VfioError } from '@vfiokit/uapi';
import fc from 'fast-check';

const ADAPTERS = [0, 1];
const DOMAINS = [0, 1];
const MATRICES = ['m1', 'm2'];
const GUESTS = ['g1', 'g2'];

/** The machine that random events happen to: four queues. */
export const SMALL = { adapters: ADAPTERS, domains: DOMAINS, controlDomains: DOMAINS } as const;

/** An event, as data, so that a list of them shrinks and can be read. */
export type Event = readonly [name: keyof typeof EVENTS, a: number, b: number, c: number];

/** What can happen to a machine. Numbers select among the little that there is. */
const EVENTS = {
  free: (w: ApWorld, a: number, b: number) => w.free(b % 2 ? 'domain' : 'adapter', a % 2),
  reclaim: (w: ApWorld, a: number, b: number) => w.reclaim(b % 2 ? 'domain' : 'adapter', a % 2),
  create: (w: ApWorld, a: number) => w.create(MATRICES[a % 2]!),
  remove: (w: ApWorld, a: number) => void w.remove(MATRICES[a % 2]!),
  assign: (w: ApWorld, a: number, b: number, c: number) =>
    w.assign(MATRICES[a % 2]!, c % 2 ? 'domain' : 'adapter', b % 2),
  unassign: (w: ApWorld, a: number, b: number, c: number) =>
    w.unassign(MATRICES[a % 2]!, c % 2 ? 'domain' : 'adapter', b % 2),
  /** From one matrix to the other, as fast as it goes. */
  move: (w: ApWorld, a: number, b: number, c: number) => {
    EVENTS.unassign(w, a, b, c);
    EVENTS.assign(w, a + 1, b, c);
  },
  /** To vfio_ap by an override, or back to the host by taking it off. */
  hand: (w: ApWorld, a: number, b: number, c: number) => {
    EVENTS.override(w, a, b, c % 2);
    w.vfioAp?.unbind(queueName(a, b));
    w.vfioAp?.probe(queueName(a, b));
  },
  start: (w: ApWorld, a: number, b: number, c: number) => {
    const matrix = w.matrices.get(MATRICES[b % 2]!);
    if (matrix === undefined) return;
    const guest = w.partition.startGuest({ name: GUESTS[a % 2]!, ignoresRequests: c % 2 === 1 });
    try {
      guest.plug(matrix.device, c % 3 ? 'group' : 'cdev');
      guest.boot();
    } catch (error) {
      guest.exit();
      throw error;
    }
  },
  plug: (w: ApWorld, a: number, b: number) => {
    const matrix = w.matrices.get(MATRICES[b % 2]!);
    if (matrix) guestOf(w, a)?.plug(matrix.device);
  },
  /** A VMM that opens a second device for its machine, past the one slot of its bus. */
  grab: (w: ApWorld, a: number, b: number) => {
    const matrix = w.matrices.get(MATRICES[b % 2]!);
    const guest = guestOf(w, a);
    if (matrix === undefined || guest === undefined) return;
    const files = openVmmFiles('group', w.partition.dev, matrix.device, guest.kvm);
    try {
      files.addToKvm(guest.kvmVfio);
      files.openDevice();
    } catch (error) {
      files.close();
      throw error;
    }
  },
  unplug: (w: ApWorld, a: number) => guestOf(w, a)?.unplug(),
  exit: (w: ApWorld, a: number) => guestOf(w, a)?.exit(),
  reboot: (w: ApWorld, a: number) => guestOf(w, a)?.reboot(),
  halt: (w: ApWorld, a: number) => guestOf(w, a)?.halt(),
  addAdapter: (w: ApWorld, a: number) => w.partition.hardware.addAdapter(a % 2),
  removeAdapter: (w: ApWorld, a: number) => w.partition.hardware.removeAdapter(a % 2),
  domains: (w: ApWorld, a: number) =>
    w.partition.hardware.configure({ aqm: ApMask.from(DOMAINS.filter((d) => (a >> d) & 1)) }),
  standby: (w: ApWorld, a: number) => w.partition.hardware.setState(a % 2, 'standby'),
  configured: (w: ApWorld, a: number) => w.partition.hardware.setState(a % 2, 'configured'),
  rescan: (w: ApWorld) => w.rescan(),
  wait: (w: ApWorld, a: number) => w.partition.clock.advance(a * 1000),
  unbind: (w: ApWorld, a: number, b: number) => w.vfioAp?.unbind(queueName(a, b)),
  bind: (w: ApWorld, a: number, b: number, c: number) =>
    w.vfioAp?.bind(queueName(a, b), c % 2 ? 'vfio_ap' : 'cex4queue'),
  probe: (w: ApWorld, a: number, b: number) => w.vfioAp?.probe(queueName(a, b)),
  override: (w: ApWorld, a: number, b: number, c: number) =>
    w.vfioAp?.override(queueName(a, b), ['', 'vfio_ap', 'cex4queue'][c % 3]!),
  mask: (w: ApWorld, a: number, b: number) =>
    w.vfioAp?.setMask(
      b % 2 ? 'apmask' : 'aqmask',
      `0x${(a % 4).toString(2).padEnd(2, '0').replaceAll('1', 'f')}`,
    ),
  config: (w: ApWorld, a: number, b: number, c: number) =>
    w.vfioAp?.setApConfig(MATRICES[a % 2]!, `0x${nibble(b)},0x${nibble(c)},0x0`),
  unload: (w: ApWorld) => w.vfioAp?.unload(),
  load: (w: ApWorld) => w.vfioAp?.load(),
} as const;

const NAMES = Object.keys(EVENTS) as (keyof typeof EVENTS)[];

/** Events that move queues from one to another come more often. */
const OFTEN = ['assign', 'unassign', 'free', 'reclaim', 'move', 'hand', 'plug', 'exit'] as const;

const anyEvent: fc.Arbitrary<Event> = fc.tuple(
  fc.oneof(fc.constantFrom(...OFTEN), fc.constantFrom(...NAMES)),
  fc.nat(11),
  fc.nat(11),
  fc.nat(11),
);

const subset = fc.subarray([0, 1]);
const mostly = fc.subarray([0, 1], { minLength: 1 });

/** Events after which there is something to go wrong: free queues, matrices with queues, guests that run. */
const beginning: fc.Arbitrary<Event[]> = fc
  .record({
    byOverride: fc.boolean(),
    free: fc.tuple(mostly, subset),
    matrices: fc.tuple(fc.tuple(mostly, mostly), fc.tuple(subset, subset)),
    guests: subset,
  })
  .map(({ byOverride, free: [adapters, domains], matrices, guests }) => [
    ...(byOverride
      ? adapters.flatMap((a) => [0, 1].map((d): Event => ['hand', a, d, 1]))
      : [
          ...adapters.map((id): Event => ['free', id, 0, 0]),
          ...domains.map((id): Event => ['free', id, 1, 0]),
        ]),
    ...matrices.flatMap((sets, m): Event[] => [
      ['create', m, 0, 0],
      ...sets.flatMap((ids, kind) => ids.map((id): Event => ['assign', m, id, kind])),
    ]),
    ...guests.map((g): Event => ['start', g, g, 2]),
  ]);

/** Random events that happen to a machine on which something has been set up. */
export const anyEvents: fc.Arbitrary<Event[]> = fc
  .tuple(beginning, fc.array(anyEvent, { maxLength: 40, size: 'max' }))
  .map(([first, then]) => [...first, ...then]);

/**
 * Lets an event happen, whether or not it is refused, and has everybody use every queue that they can.
 *
 * @param users who sent the last request to a queue that may still hold it.
 * @returns what is wrong now; nothing as long as all is well.
 */
export function happen(
  world: ApWorld,
  [name, a, b, c]: Event,
  users: Map<number, string>,
): string[] {
  try {
    EVENTS[name](world, a, b, c);
  } catch (error) {
    if (!(error instanceof VfioError)) throw error;
  }
  return [...violations(world), ...leaks(world, users)];
}

/** Queues in which somebody finds what somebody else has left there. */
function leaks(world: ApWorld, users: Map<number, string>): string[] {
  const problems: string[] = [];
  for (const { apqn, guests, host, used } of observe(world).queues.values()) {
    const user = guests[0] ?? (host ? 'host' : undefined);
    if (!used) users.delete(apqn);
    if (user === undefined) continue;
    const last = users.get(apqn);
    if (last !== undefined && last !== user)
      problems.push(`${formatApqn(apqn)}: ${user} finds what ${last} has left`);
    const ap =
      user === 'host'
        ? world.kernel.bus.ap
        : new GuestInstructions(world.partition.guests.get(user)!.kvm);
    if (((ap.nqap(apqn, { id: 1, text: user }) >>> 16) & 0xff) === 0) users.set(apqn, user);
  }
  return problems;
}

function guestOf(world: ApWorld, n: number) {
  return world.partition.guests.get(GUESTS[n % 2]!);
}

function queueName(a: number, b: number): string {
  return formatApqn(((a % 2) << 8) | (b % 2));
}

function nibble(n: number): string {
  return ((n % 4) << 2).toString(16);
}
