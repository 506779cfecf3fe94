import { strictMatch } from '../modules/best-match.js';
import type { SelectionInput } from './policy.js';

/** Modules other than the generic one that advertise a device, the most specific first. */
export function variants({ index, device }: SelectionInput): readonly string[] {
  const modalias = device.modalias.value;
  if (index === undefined || modalias === undefined) return [];
  const modules = strictMatch(index, modalias).candidates.map(({ module }) => module);
  return [...new Set(modules)].filter((module) => module !== 'vfio_pci');
}

/** A device's ids as tables of tools write them: `15b3:101e`; undefined if they are unknown. */
export function idText({ device }: SelectionInput): string | undefined {
  const ids = device.ids.value;
  if (ids === undefined) return undefined;
  const hex = (value: number) => value.toString(16).padStart(4, '0');
  return `${hex(ids.vendor)}:${hex(ids.device)}`;
}
