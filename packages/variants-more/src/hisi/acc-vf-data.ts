import { array, struct, u16, u32, u64 } from '@vfiokit/uapi';

export const ACC_DEV_MAGIC = 0xaaccfeeddecadeden;
const ACC_DEV_MAGIC_OLD = 0xcdcdcdcdfeedaaccn;
export const ACC_DRV_MAJOR_VER = 1;
/** Words of the context of a queue of events. */
const QM_XQC_WORDS = 7;

/** A device's state (drivers/vfio/pci/hisilicon: struct acc_vf_data). */
export const accVfData = struct('acc_vf_data', {
  magic: u64,
  qpNum: u32,
  devId: u32,
  queIsoCfg: u32,
  qpBase: u32,
  vfQmState: u32,
  majorVersion: u16,
  minorVersion: u16,
  reserved: array(u32, 2),
  // Up to here both sides compare.
  aeqIntMask: u32,
  eqIntMask: u32,
  ifcIntSource: u32,
  ifcIntMask: u32,
  ifcIntSet: u32,
  pageSize: u32,
  eqContext: array(u32, QM_XQC_WORDS),
  aeqContext: array(u32, QM_XQC_WORDS),
  reserved2: array(u32, 5),
  // Where the queues are; a device without one of them was not set up yet.
  eqeDma: u64,
  aeqeDma: u64,
  sqcDma: u64,
  cqcDma: u64,
});
/** Bytes of a state. */
export const ACC_VF_DATA_SIZE = accVfData.size;
/** Bytes by which source and target find out whether they are alike. */
export const QM_MATCH_SIZE = accVfData.ends.reserved;

/** Whether a state that begins like this can be loaded into a device that is like `own`. */
export function matches(incoming: Uint8Array, own: Uint8Array): boolean {
  const [theirs, ours] = [accVfData.decode(incoming), accVfData.decode(own)];
  if (theirs.magic !== ACC_DEV_MAGIC && theirs.magic !== ACC_DEV_MAGIC_OLD) return false;
  if (theirs.magic === ACC_DEV_MAGIC && theirs.majorVersion !== ACC_DRV_MAJOR_VER) return false;
  return (
    theirs.devId === ours.devId &&
    theirs.qpNum === ours.qpNum &&
    theirs.queIsoCfg === ours.queIsoCfg
  );
}
