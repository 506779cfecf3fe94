import type { DeviceFacts } from '../facts/device-facts.js';
import type { HostFacts } from '../facts/host-facts.js';
import { type DriverKnowledge, findKnown } from '../policy/driver-knowledge.js';

/** What a VFIO driver of a VF lacks whose PF has another driver than the one that it works with. */
export function pfCautions(
  host: HostFacts,
  device: DeviceFacts,
  driver: string | null | undefined,
  knowledge: DriverKnowledge,
): readonly string[] {
  const needs = driver ? findKnown(knowledge, driver)?.pf : undefined;
  const pf = device.physfn.value;
  if (needs === undefined || !pf) return [];
  const native = host.devices.get(pf)?.driver.value;
  if (native === undefined || (native !== null && needs.drivers.includes(native))) return [];
  const has = native === null ? 'has no driver' : `is on ${native}`;
  const consequence = {
    refuses: `${driver} refuses the VF`,
    plain: `the VF is a plain device under ${driver}, without migration`,
  }[needs.otherwise];
  return [
    `${pf}, the PF of ${device.name}, ${has}; unless it is on ${needs.drivers.join(' or ')}, ${consequence}`,
  ];
}
