import { getValue, putValue } from '@vfiokit/core';
import type { ConfigAccess } from '@vfiokit/pci';

/** A configuration space of plain storage, in which only some bytes take writes. */
export class StoredConfig implements ConfigAccess {
  readonly bytes: Uint8Array;

  /** @param writable byte ranges, `[from, to)`, that take writes; all of them if absent. */
  constructor(
    readonly size: number,
    private readonly writable: readonly (readonly [from: number, to: number])[] = [[0, size]],
  ) {
    this.bytes = new Uint8Array(size);
  }

  read(offset: number, size: number): number {
    return getValue(this.bytes, offset, size);
  }

  write(offset: number, size: number, value: number): number {
    for (let i = 0; i < size; i += 1) {
      const at = offset + i;
      if (this.writable.some(([from, to]) => at >= from && at < to))
        this.bytes[at] = value >>> (8 * i);
    }
    return 0;
  }

  /** Puts a value there whatever is writable. */
  set(offset: number, size: 1 | 2 | 4, value: number): this {
    putValue(this.bytes, offset, size, value);
    return this;
  }
}
