import { formatApqi } from '../arch/apqn.js';
import { AP_MASK_BITS, type ApMask } from '../arch/mask.js';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import type { ApWorld, MatrixView } from '../design/ap-design.js';
import type { Guest } from '../guest/guest.js';
import type { DiagramNode } from './diagram.js';
import { abbreviate, abbreviateMatrix } from './queue-names.js';

// Boxes that designs put their pictures together from.

/** Domains in hex, not more than fit a line. */
export function hexList(mask: ApMask): string {
  if (mask.isEmpty) return 'none';
  const shown = mask.ids.slice(0, 12).map(formatApqi).join(' ');
  return mask.size > 12 ? `${shown} and ${mask.size - 12} more` : shown;
}

/** The queues that are bound to a driver, or to none. */
export function queuesOfDriver({ bus }: ApSubsystem, driver: string | undefined): string {
  const queues = [...bus.queues()].filter((queue) => queue.driver?.name === driver);
  return abbreviate(queues.map(({ apqn }) => apqn)) || 'none';
}

/** The host's AP bus with its default drivers; others hang further boxes beside them. */
export function apBusBox(kernel: ApSubsystem, more: readonly DiagramNode[]): DiagramNode {
  const { bus } = kernel;
  const cards = [...bus.cards.values()]
    .slice(0, 8)
    .map(
      ({ name, config, chkstop }) =>
        `${name}${config ? '' : ' (standby)'}${chkstop ? ' (stopped)' : ''}`,
    );
  if (bus.cards.size > cards.length) cards.push(`and ${bus.cards.size - cards.length} more`);
  const unbound = queuesOfDriver(kernel, undefined);
  return {
    title: 'AP bus of the host',
    edge: 'TAPQ RAPQ ZAPQ AQIC NQAP DQAP',
    lines: [
      `apmask ${maskText(bus.perms.apmask)}   aqmask ${maskText(bus.perms.aqmask)}`,
      cards.length === 0 ? 'no cards' : `${cards.join(' ')} with cex4card`,
      ...(unbound === 'none' ? [] : [`queues without a driver: ${unbound}`]),
    ],
    children: [
      {
        title: 'cex4queue (default)',
        edge: 'reserved queues',
        lines: [queuesOfDriver(kernel, 'cex4queue')],
        children: [{ title: 'zcrypt', edge: 'requests', lines: ['programs of the host'] }],
      },
      ...more,
    ],
  };
}

/** A mask without the run that it ends in. */
function maskText(mask: ApMask): string {
  if (mask.size === AP_MASK_BITS) return 'full';
  if (mask.isEmpty) return 'empty';
  return mask
    .toString()
    .replace(/(f+|0+)$/, (run) =>
      run.length > 4 ? `${run.slice(0, 2)}...${run.slice(0, 1)}` : run,
    );
}

/** The matrices of guests, each with the machine that uses it. */
export function matrixBoxes(world: ApWorld, what: string, edge: string): DiagramNode[] {
  return [...world.matrices.values()].map((view) => {
    const guest = [...world.partition.guests.values()].find(({ kvm }) => kvm === view.kvm);
    return {
      title: `${what} ${view.id}`,
      edge,
      lines: matrixLines(view),
      children:
        guest === undefined
          ? []
          : [{ ...kvmBox(guest, view.device.pins.total), edge: 'VFIO device, masks, AQIC' }],
    };
  });
}

function matrixLines({ assigned, passed }: MatrixView): string[] {
  return [
    `assigned ${abbreviateMatrix(assigned)}`,
    `passed   ${abbreviateMatrix(passed)}`,
    ...(assigned.adm.isEmpty ? [] : [`control  ${hexList(assigned.adm)}`]),
  ];
}

/** A virtual machine, and the Linux in it. */
export function kvmBox(guest: Guest, pinned = 0): DiagramNode {
  const { kvm, linux } = guest;
  return {
    title: `KVM ${guest.name}${guest.state === 'halted' ? ' (halted)' : ''}`,
    lines: [
      `CRYCB format ${kvm.format}: ${abbreviateMatrix(kvm.masks)}`,
      `PQAP hook ${kvm.pqapHook === undefined ? 'none' : 'set'}; pages pinned ${pinned}`,
    ],
    children:
      linux === undefined
        ? []
        : [
            {
              title: 'Linux, its own AP bus',
              edge: 'SIE',
              lines: [
                `queues ${abbreviate([...linux.bus.queues()].map(({ apqn }) => apqn)) || 'none'}`,
              ],
            },
          ],
  };
}
