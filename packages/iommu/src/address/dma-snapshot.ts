/** What a DMA address space looks like now, for people: `vfiokit inspect --dma` prints it. */
export interface DmaSnapshot {
  /** Such as `type1 v2`, `spapr-tce v1`, `ioas 1`. */
  readonly kind: string;
  /** Bitmap of the page sizes that can be mapped. */
  readonly pageSizes: bigint;
  /** How many more mappings can be made; `null` without a limit. */
  readonly available: number | null;
  /** Where mappings can lie. */
  readonly ranges: readonly { readonly start: bigint; readonly last: bigint }[];
  readonly mappings: readonly DmaMapping[];
}

/** A mapping, for people. */
export interface DmaMapping {
  readonly iova: bigint;
  readonly size: bigint;
  /** The user's address, or where in a file. */
  readonly target: bigint;
  readonly read: boolean;
  readonly write: boolean;
}
