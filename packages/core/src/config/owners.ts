import type { ConfigAccess } from '@vfiokit/pci';
import { capabilityName, extendedCapabilityName } from '@vfiokit/pci';
import type { Quirks } from '../quirks.js';
import { advancedFeaturesHook } from './advanced-features.js';
import { type ConfigLayout, OWNER_HEADER, OWNER_RAW, OWNER_VIRTUAL } from './config-layout.js';
import type { ConfigOwner, OwnedRange, ReadRule, RegisterHook, WriteRule } from './config-owner.js';
import type { ConfigEffects } from './effects.js';
import { expressHook } from './express.js';
import { msiHook } from './msi.js';
import {
  AER_PERMISSIONS,
  AF_PERMISSIONS,
  EXPRESS_PERMISSIONS,
  HEADER_PERMISSIONS,
  msiPermissions,
  PCIX_PERMISSIONS,
  type PermissionTable,
  PM_PERMISSIONS,
  powerBudgetingPermissions,
  VPD_PERMISSIONS,
} from './permissions.js';
import { powerManagementHook } from './power-management.js';
import { vpdHook } from './vpd.js';

/** How one capability id is served. Without an entry a visible capability is read from hardware and can't be written. */
interface OwnerRule {
  readonly read: ReadRule;
  readonly write: WriteRule;
  readonly table?: PermissionTable;
  readonly hook?: (start: number) => RegisterHook;
}

const READ_ONLY: OwnerRule = { read: 'direct', write: 'none' };
const OPEN_BODY: OwnerRule = { read: 'direct', write: 'raw' };
const HEADER_END = 0x40;
const EXTENDED_START = 0x100;

export interface OwnersOptions {
  readonly layout: ConfigLayout;
  readonly config: ConfigAccess;
  readonly effects: ConfigEffects;
  readonly header: RegisterHook;
  readonly quirks: Quirks;
}

/** Turns the map of owners into runs with the rules of each (vfio_pci_config.c: cap_perms, ecap_perms). */
export function ownedRanges(options: OwnersOptions): OwnedRange[] {
  const { map } = options.layout;
  const standard = standardRules(options);
  const extended = extendedRules(options.quirks);
  const ranges: OwnedRange[] = [];
  for (let from = 0; from < map.length; ) {
    const id = map[from]!;
    const limit =
      from < HEADER_END ? HEADER_END : from < EXTENDED_START ? EXTENDED_START : map.length;
    let to = from + 1;
    while (to < limit && map[to] === id) to += 1;
    ranges.push({ from, to, owner: ownerOf(id, from, standard, extended) });
    from = to;
  }
  return ranges;
}

const RAW: ConfigOwner = { name: 'raw', start: 0, extended: false, read: 'raw', write: 'raw' };
const VIRTUAL: ConfigOwner = {
  name: 'virtual',
  start: 0,
  extended: false,
  read: 'virtual',
  write: 'virtual',
};

function ownerOf(
  id: number,
  from: number,
  standard: Readonly<Record<number, OwnerRule>>,
  extended: Readonly<Record<number, OwnerRule>>,
): ConfigOwner {
  if (id === OWNER_RAW) return RAW;
  if (id === OWNER_VIRTUAL) return VIRTUAL;
  const isExtended = from >= EXTENDED_START;
  const { hook, ...rule } = (isExtended ? extended[id] : standard[id]) ?? READ_ONLY;
  // An anchor with the id 0 is taken for the header, so its registers count from 0 (quirk W41).
  // Otherwise neighbours with one id make one run, and its first byte is the start for all of it (quirk W7).
  const start = id === OWNER_HEADER ? 0 : from;
  const name =
    id === OWNER_HEADER && !isExtended
      ? 'header'
      : isExtended
        ? extendedCapabilityName(id)
        : capabilityName(id);
  return {
    name,
    start,
    extended: isExtended,
    ...rule,
    ...(hook === undefined ? {} : { hook: hook(start) }),
  };
}

function standardRules(options: OwnersOptions): Readonly<Record<number, OwnerRule>> {
  const { layout, config, effects, header } = options;
  const { vconfig } = layout;
  const msi = layout.capabilities.find(
    ({ id, extended, length }) => id === 0x05 && !extended && length > 0,
  );
  const ruled = (table: PermissionTable, hook?: OwnerRule['hook']): OwnerRule => ({
    read: 'default',
    write: 'default',
    table,
    ...(hook === undefined ? {} : { hook }),
  });
  return {
    [OWNER_HEADER]: ruled(HEADER_PERMISSIONS, () => header),
    1: ruled(PM_PERMISSIONS, (start) => powerManagementHook(start, effects)),
    3: ruled(VPD_PERMISSIONS, (start) => vpdHook(start, vconfig, effects)),
    // The first MSI capability's flags lay out the table for all of them.
    5: ruled(msi === undefined ? [] : msiPermissions(flagsOf(vconfig, msi.position)), (start) =>
      msiHook(start, vconfig, config, effects),
    ),
    7: ruled(PCIX_PERMISSIONS),
    9: OPEN_BODY,
    16: ruled(EXPRESS_PERMISSIONS, (start) => expressHook(start, vconfig, config, effects)),
    19: ruled(AF_PERMISSIONS, (start) => advancedFeaturesHook(start, vconfig, config, effects)),
  };
}

function extendedRules(quirks: Quirks): Readonly<Record<number, OwnerRule>> {
  return {
    1: { read: 'default', write: 'default', table: AER_PERMISSIONS },
    4: {
      read: 'default',
      write: 'default',
      table: powerBudgetingPermissions(quirks.powerBudgetingSelect),
    },
    11: OPEN_BODY,
    35: OPEN_BODY,
  };
}

function flagsOf(vconfig: Uint8Array, position: number): number {
  return vconfig[position + 2]! | (vconfig[position + 3]! << 8);
}
