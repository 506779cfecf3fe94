import {
  type ConfigAccess,
  capabilityName,
  extendedCapabilityName,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_PCIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VNDR,
  PCI_CAP_ID_VPD,
  PCI_CFG_SPACE_SIZE,
  PCI_EXT_CAP_ID_DVSEC,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_PWR,
  PCI_EXT_CAP_ID_VNDR,
  PCI_MSI_FLAGS,
} from '@vfiokit/pci';
import type { Quirks } from '../quirks.js';
import { advancedFeaturesHook } from './advanced-features.js';
import {
  type ConfigLayout,
  HEADER_SIZE,
  OWNER_HEADER,
  OWNER_RAW,
  OWNER_VIRTUAL,
} from './config-layout.js';
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

/** What the rules of the owners of a layout are made from. */
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
      from < HEADER_SIZE
        ? HEADER_SIZE
        : from < PCI_CFG_SPACE_SIZE
          ? PCI_CFG_SPACE_SIZE
          : map.length;
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
  const isExtended = from >= PCI_CFG_SPACE_SIZE;
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
    ({ id, extended, length }) => id === PCI_CAP_ID_MSI && !extended && length > 0,
  );
  const ruled = (table: PermissionTable, hook?: OwnerRule['hook']): OwnerRule => ({
    read: 'default',
    write: 'default',
    table,
    ...(hook === undefined ? {} : { hook }),
  });
  return {
    [OWNER_HEADER]: ruled(HEADER_PERMISSIONS, () => header),
    [PCI_CAP_ID_PM]: ruled(PM_PERMISSIONS, (start) => powerManagementHook(start, effects)),
    [PCI_CAP_ID_VPD]: ruled(VPD_PERMISSIONS, (start) => vpdHook(start, vconfig, effects)),
    // The first MSI capability's flags lay out the table for all of them.
    [PCI_CAP_ID_MSI]: ruled(
      msi === undefined ? [] : msiPermissions(flagsOf(vconfig, msi.position)),
      (start) => msiHook(start, vconfig, config, effects),
    ),
    [PCI_CAP_ID_PCIX]: ruled(PCIX_PERMISSIONS),
    [PCI_CAP_ID_VNDR]: OPEN_BODY,
    [PCI_CAP_ID_EXP]: ruled(EXPRESS_PERMISSIONS, (start) =>
      expressHook(start, vconfig, config, effects),
    ),
    [PCI_CAP_ID_AF]: ruled(AF_PERMISSIONS, (start) =>
      advancedFeaturesHook(start, vconfig, config, effects),
    ),
  };
}

function extendedRules(quirks: Quirks): Readonly<Record<number, OwnerRule>> {
  return {
    [PCI_EXT_CAP_ID_ERR]: { read: 'default', write: 'default', table: AER_PERMISSIONS },
    [PCI_EXT_CAP_ID_PWR]: {
      read: 'default',
      write: 'default',
      table: powerBudgetingPermissions(quirks.powerBudgetingSelect),
    },
    [PCI_EXT_CAP_ID_VNDR]: OPEN_BODY,
    [PCI_EXT_CAP_ID_DVSEC]: OPEN_BODY,
  };
}

function flagsOf(vconfig: Uint8Array, position: number): number {
  return vconfig[position + PCI_MSI_FLAGS]! | (vconfig[position + PCI_MSI_FLAGS + 1]! << 8);
}
