import type { ConfigAccess } from '@vfiokit/pci';

/**
 * A configuration space that notes what a bus analyser would see: `R16@4`, `W32@10=f0000000`, hexadecimal, in order.
 *
 * It stands in front of another one, or is plain storage in which only some bytes take writes.
 */
export class TracedConfig implements ConfigAccess {
  /** The accesses so far. */
  readonly log: string[] = [];

  constructor(private readonly below: ConfigAccess) {}

  get size(): number {
    return this.below.size;
  }

  read(offset: number, size: number): number {
    this.log.push(`R${8 * size}@${offset.toString(16)}`);
    return this.below.read(offset, size);
  }

  write(offset: number, size: number, value: number): number {
    this.log.push(
      `W${8 * size}@${offset.toString(16)}=${value.toString(16).padStart(2 * size, '0')}`,
    );
    return this.below.write(offset, size, value);
  }

  /** What was noted since the last call. */
  take(): string[] {
    return this.log.splice(0);
  }
}

/** Registers as plain storage. */
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
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + this.bytes[offset + i]!;
    return value;
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
    for (let i = 0; i < size; i += 1) this.bytes[offset + i] = value >>> (8 * i);
    return this;
  }
}
