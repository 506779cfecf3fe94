import type { DmaPort } from '@vfiokit/iommu';

/** The DMA engine of QEMU's edu device (docs/specs/edu.rst): one buffer, moved to or from memory on command. */
export class EduDma {
  readonly #buffer = new Uint8Array(4096);
  readonly #registers = new Map<number, number>();
  #busMaster = false;
  #round = 0;

  /** @param arena the recorder's memory, whose first bytes it fills before each round. */
  constructor(
    private readonly dma: DmaPort | undefined,
    private readonly arena: Uint8Array,
  ) {}

  section(): void {
    this.#round = 0;
  }

  /** A write to the device, as it was recorded. */
  write(region: number, offset: number, hex: string, ret: number): void {
    if (ret <= 0) return;
    const value = Buffer.from(hex.padEnd(8, '0'), 'hex').readUInt32LE();
    if (region === 7 && offset === 4) this.#busMaster = (value & 4) !== 0;
    if (region !== 0) return;
    this.#registers.set(offset, value);
    if (offset === 0x98 && value & 1) this.#move((value & 2) !== 0);
  }

  #move(toMemory: boolean): void {
    const source = this.#registers.get(0x80) ?? 0;
    const destination = this.#registers.get(0x88) ?? 0;
    const count = this.#registers.get(0x90) ?? 0;
    if (!this.#busMaster || this.dma === undefined) return;
    if (toMemory) {
      const at = source - 0x40000;
      this.dma.write(destination, this.#buffer.subarray(at, at + count));
    } else {
      // The script writes the pattern anew before each round, which is no recorded operation.
      for (let i = 0; i < 16; i += 1) this.arena[i] = 0x40 + i;
      this.arena.fill(0, 0x1000, 0x1010);
      this.#round += 1;
      const at = destination - 0x40000;
      const into = new Uint8Array(count);
      this.dma.read(source, into);
      this.#buffer.set(into, at);
    }
  }
}
