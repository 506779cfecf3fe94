/** By how many bits the index of a region is shifted in a position of the device's file (VFIO_PCI_OFFSET_SHIFT). */
export const OFFSET_SHIFT = 40;

/**
 * How a device's file is divided into regions: region r starts at r << shift. All but one driver leave the core's shift.
 *
 * Positions are exact below 2^53; what lies above is a region that no device has, and rounding keeps it there.
 */
export class Positions {
  readonly #span: number;

  constructor(readonly shift: number = OFFSET_SHIFT) {
    this.#span = 2 ** shift;
  }

  /** Bytes of the largest region. */
  get largest(): number {
    return this.#span;
  }

  /** The region that a position lies in. */
  regionOf(position: number): number {
    return Math.floor(position / this.#span);
  }

  /** Where in its region a position lies. */
  offsetOf(position: number): number {
    return position % this.#span;
  }

  of(region: number, offset = 0): number {
    return region * this.#span + offset;
  }
}
