import { COLUMN, type FirmwareRecord, firmwareTable, type Variant } from '@vfiokit/core';
import type { ClpFunctionGroup } from './clp.js';
import { registerZpci } from './register.js';
import { ZpciFunction } from './zpci-function.js';

/** What a machine's description says of a function: function and user ids, channel, type, group. */
const COLUMNS = {
  fid: COLUMN.natural,
  uid: COLUMN.natural,
  pchid: COLUMN.natural,
  pft: COLUMN.natural,
  groupId: COLUMN.natural,
} as const;

const FH_ENABLED = 0x80000000;

const GROUP: ClpFunctionGroup = {
  dasm: 0xffff_ffff_ffff_0000n,
  msiAddr: 0xfe00_0000_0000_0000n,
  mui: 4000,
  noi: 128,
  maxstbl: 4096,
  version: 1,
  refresh: true,
};

/**
 * Joins machines whose firmware has a function table, which makes them an s390:
 * `firmware: { zpci: { "0000:00:00.0": { fid: 16, uid: 1, pchid: 257, pft: 5, groupId: 1 } } }`.
 */
export const zpciVariant: Variant = (host, machine) => {
  const table = firmwareTable(machine, 'zpci', COLUMNS);
  if (table === undefined) return;
  const functions = new Map(
    [...table].map(([at, entry], index) => [at, clpFunction(entry, index)]),
  );
  registerZpci(host, { functions: ({ name }) => functions.get(name) });
};

function clpFunction(
  { fid, uid, pchid, pft, groupId }: FirmwareRecord<typeof COLUMNS>,
  index: number,
): ZpciFunction {
  return new ZpciFunction(
    {
      fid,
      uid,
      fh: FH_ENABLED + index + 1,
      startDma: 0x1_0000_0000n,
      endDma: 0x1_ffff_ffff_ffffn,
      pchid,
      vfn: 0,
      gid: groupId,
      pft,
      fmbLength: 32,
      pfip: new Uint8Array(4),
    },
    GROUP,
  );
}
