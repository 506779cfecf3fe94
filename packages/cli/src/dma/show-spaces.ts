import type { DmaSpace } from '@vfiokit/iommu';
import type { Palette } from '../io.js';
import { count, plural, size, type TreeNode } from '../output.js';
import type { AssignedGuest } from './assigned-guest.js';
import { shortNames } from './show-groups.js';

/** The spaces of a guest, each with the groups that share it. */
export function guestTree({ choice, monitor }: AssignedGuest, { bold, dim }: Palette): TreeNode {
  const { usage, space } = choice;
  return {
    label: `a guest of ${size(choice.ram)}: ${bold(usage.name)} on ${bold(space)}`,
    children: [
      { label: dim(`shared by ${usage.sharedBy}`) },
      { label: dim(`filled by ${usage.filledBy}`) },
      ...monitor.spaces.map(({ key, space: made }) => ({
        label: `${made.label} for ${key.name}: ${contents(made)}`,
        children: made.groups.map(({ id, devices }) => ({
          label: `group ${id}: ${shortNames(devices.map(({ name }) => name))}`,
        })),
      })),
    ],
  };
}

function contents(space: DmaSpace): string {
  const { mappings, available } = space.snapshot();
  const bytes = mappings.reduce((sum, mapping) => sum + mapping.size, 0n);
  const room = available === null ? 'no limit' : `room for ${count(available)}`;
  return mappings.length === 0
    ? `nothing mapped yet, ${room}`
    : `${plural(mappings.length, 'mapping')} of ${size(bytes)}, ${room}`;
}

/** The spaces of a guest as part of a document of `--json`. */
export function guestDocument({ choice, monitor }: AssignedGuest): unknown {
  const { usage, space, ram } = choice;
  return {
    usage: { name: usage.name, sharedBy: usage.sharedBy, filledBy: usage.filledBy },
    space,
    ram,
    spaces: monitor.spaces.map(({ key, space: made }) => ({
      name: made.label,
      for: key.name,
      groups: made.groups.map(({ id }) => id),
      ...made.snapshot(),
    })),
  };
}
