import { struct, u16, u32, u64 } from '@vfiokit/uapi';

export const ACC_DEV_MAGIC = 0xaaccfeeddecadeden;
const ACC_DEV_MAGIC_OLD = 0xcdcdcdcdfeedaaccn;
export const ACC_DRV_MAJOR_VER = 1;
/** Bytes of a state. */
export const ACC_VF_DATA_SIZE = 176;
/** Bytes by which source and target find out whether they are alike. */
export const QM_MATCH_SIZE = 40;

/** What both sides compare, at the start of a state (drivers/vfio/pci/hisilicon: struct acc_vf_data). */
export const accVfMatch = struct('acc_vf_data', {
  magic: u64,
  qpNum: u32,
  devId: u32,
  queIsoCfg: u32,
  qpBase: u32,
  vfQmState: u32,
  majorVersion: u16,
  minorVersion: u16,
});

/** Where the queues are; a device without one of them was not set up yet. */
export const DMA_BASES = [144, 152, 160, 168] as const;

/** Whether a state that begins like this can be loaded into a device that is like `own`. */
export function matches(incoming: Uint8Array, own: Uint8Array): boolean {
  const [theirs, ours] = [accVfMatch.decode(incoming), accVfMatch.decode(own)];
  if (theirs.magic !== ACC_DEV_MAGIC && theirs.magic !== ACC_DEV_MAGIC_OLD) return false;
  if (theirs.magic === ACC_DEV_MAGIC && theirs.majorVersion !== ACC_DRV_MAJOR_VER) return false;
  return (
    theirs.devId === ours.devId &&
    theirs.qpNum === ours.qpNum &&
    theirs.queIsoCfg === ours.queIsoCfg
  );
}
