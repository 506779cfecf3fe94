import type { ConfigAccess } from '@vfiokit/pci';

/** Stands in front of a configuration space and notes what a bus analyser would see: `R16@4`, `W32@10=f0000000`. */
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
