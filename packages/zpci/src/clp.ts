/**
 * What firmware says of a PCI function (CLP query PCI function).
 *
 * Firmware identifies functions by number; their handles come and go with enabling.
 */
export interface ClpFunction {
  /** Function id: fixed by configuration. */
  readonly fid: number;
  /** User-defined id; 0 if the machine has none. */
  readonly uid: number;
  /** Function handle, 32 bits; the top bit is set while the function is enabled. */
  readonly fh: number;
  /** The lowest usable DMA address. */
  readonly startDma: bigint;
  /** The highest usable DMA address. */
  readonly endDma: bigint;
  /** Physical channel. */
  readonly pchid: number;
  /** Number of the virtual function. */
  readonly vfn: number;
  /** Function group. */
  readonly gid: number;
  /** Function type. */
  readonly pft: number;
  /** Length of the measurement block, in units of 4 bytes. */
  readonly fmbLength: number;
  /** Function path segments, 4 bytes. */
  readonly pfip: Uint8Array;
  /** Utility string, 64 bytes of EBCDIC; absent unless firmware marks it valid. */
  readonly util?: Uint8Array;
}

/** What firmware says of a group of PCI functions (CLP query PCI function group). */
export interface ClpFunctionGroup {
  /** DMA address space mask. */
  readonly dasm: bigint;
  /** Where messages are written. */
  readonly msiAddr: bigint;
  /** Measurement block update interval. */
  readonly mui: number;
  /** How many MSIs a function has at most, 12 bits. */
  readonly noi: number;
  /** The longest store block in bytes, 13 bits. */
  readonly maxstbl: number;
  /** PCI version. */
  readonly version: number;
  /** Guests have to refresh translations of new mappings too. */
  readonly refresh: boolean;
}
