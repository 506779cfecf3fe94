import { apqnOf, formatApid } from '../arch/apqn.js';
import type { ApWorld } from '../design/ap-design.js';
import { hexList, kvmBox } from './boxes.js';
import type { DiagramNode } from './diagram.js';

/** The picture of a machine: how hardware, bus, drivers, matrices, KVM and guests tie together now. */
export function worldDiagram(world: ApWorld): DiagramNode {
  const idle = [...world.partition.guests.values()].filter(
    (guest) => ![...world.matrices.values()].some(({ kvm }) => kvm === guest.kvm),
  );
  return {
    ...hardwareBox(world),
    children: [world.drawHost(), ...idle.map((guest) => ({ ...kvmBox(guest), edge: 'no matrix' }))],
  };
}

const TYPES: Readonly<Record<number, string>> = {
  10: 'CEX4',
  11: 'CEX5',
  12: 'CEX6',
  13: 'CEX7',
  14: 'CEX8',
};

function hardwareBox({ partition }: ApWorld): DiagramNode {
  const { hardware } = partition;
  const { apm, aqm, adm } = hardware.configuration;
  const adapters = apm.ids.slice(0, 8).map((apid) => {
    const type = hardware.tapqInfo(apqnOf(apid, aqm.ids[0] ?? 0));
    return `${formatApid(apid)} ${type ? (TYPES[type.type] ?? `type ${type.type}`) : ''} ${type?.functions.mode ?? ''} ${hardware.stateOf(apid)}`;
  });
  if (apm.size > adapters.length) adapters.push(`and ${apm.size - adapters.length} more`);
  return {
    title: 'logical partition (QCI)',
    lines: [
      `adapters ${adapters.join(' | ')}`,
      `domains ${hexList(aqm)}   control domains ${hexList(adm)}`,
    ],
  };
}
