import { apqnOf, formatApid } from '../arch/apqn.js';
import { AP_DEVICE_TYPES } from '../bus/ap-driver.js';
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

const TYPE_NAMES = new Map<number, string>(
  Object.entries(AP_DEVICE_TYPES).map(([name, type]) => [type, name]),
);

function hardwareBox({ partition }: ApWorld): DiagramNode {
  const { hardware } = partition;
  const { apm, aqm, adm } = hardware.configuration;
  const adapters = apm.ids.slice(0, 8).map((apid) => {
    const info = hardware.tapqInfo(apqnOf(apid, aqm.ids[0] ?? 0));
    const type = info === undefined ? '' : (TYPE_NAMES.get(info.type) ?? `type ${info.type}`);
    return `${formatApid(apid)} ${type} ${info?.functions.mode ?? ''} ${hardware.stateOf(apid)}`;
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
