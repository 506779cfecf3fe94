/**
 * Where the kernel's own behaviour is a wart, the model has it by default, and a switch here turns to the sane side.
 * `docs/quirks.md` lists all of them, with and without a switch.
 */
export interface Quirks {
  /** W2: open Power Budgeting's data select register for writing, not its data register. */
  readonly powerBudgetingSelect: boolean;
  /** W6: a 4-byte I/O BAR whose address has bit 2 set does not swallow the BAR after it. */
  readonly ioBarKeepsNext: boolean;
  /** W12: a block of interrupt vectors is assigned whole or not at all. */
  readonly vectorBlockAtomic: boolean;
  /** W13: too few vectors are `-ENOSPC`, not the number that would have been there. */
  readonly fewVectorsFail: boolean;
  /** W17: an I/O BAR answers `-EIO` while I/O decoding is off or the function is in D3hot. */
  readonly ioBarHonoursEnable: boolean;
  /** W20: the VF token can't be replaced while VFs are open: `-EBUSY`. */
  readonly tokenHeldWhileInUse: boolean;
  /** W21: VFs can be disabled while `enable_sriov` is off. */
  readonly sriovDisableAlways: boolean;
  /** W26: DEVICE_FEATURE MIG_PRECOPY_INFOv2 without PRE_COPY is `-ENOTTY`, as for its siblings. */
  readonly precopyInfoNotTty: boolean;
  /** W29: GET_REGION_INFO without capabilities answers a cap_offset of 0, not the caller's. */
  readonly zeroCapOffset: boolean;
}

/** The kernel's behaviour, warts and all. */
export const KERNEL_QUIRKS: Quirks = {
  powerBudgetingSelect: false,
  ioBarKeepsNext: false,
  vectorBlockAtomic: false,
  fewVectorsFail: false,
  ioBarHonoursEnable: false,
  tokenHeldWhileInUse: false,
  sriovDisableAlways: false,
  precopyInfoNotTty: false,
  zeroCapOffset: false,
};
