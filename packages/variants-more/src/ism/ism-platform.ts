/** PCI instructions of s390 on one function's BAR; results are 0, a value, or negated errnos. */
export interface IsmInstructions {
  /** PCI load; of 8 bytes as a bigint's low half comes first. */
  load(bar: number, offset: number, size: 1 | 2 | 4 | 8, into: Uint8Array): number;
  /** PCI store block: all of it in one instruction. */
  storeBlock(bar: number, offset: number, from: Uint8Array): number;
  /** Bytes of the longest store block. */
  readonly maxstbl: number;
}
