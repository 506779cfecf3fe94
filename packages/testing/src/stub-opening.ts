import type { MappedMemory, OpeningDevice, Region } from '@vfiokit/core';
import type { ConfigAccess, PciDevice, RegisterBlock } from '@vfiokit/pci';
import { type DeviceMapping, VfioError } from '@vfiokit/uapi';
import { StubRegion } from './stub-region.js';

/** A device that is being opened, without the core around it: what an extension is handed in a test. */
export class StubOpening implements OpeningDevice {
  readonly name: string;
  readonly config: ConfigAccess;
  /** As hardware shows it. */
  readonly vconfig: Uint8Array;
  readonly kvm = undefined;
  readonly #regions = Array.from({ length: 9 }, () => new StubRegion(4096));
  readonly #undos: (() => void)[] = [];

  constructor(readonly pdev: PciDevice) {
    this.name = pdev.name;
    this.config = pdev.config;
    this.vconfig = Uint8Array.from({ length: pdev.config.size }, (_, at) =>
      pdev.config.read(at, 1),
    );
  }

  // Fields, as extensions may take them off the device: `open({ name, defer })`.

  readonly defer = (undo: () => void): void => {
    this.#undos.push(undo);
  };

  /** 4 KiB of plain bytes each. */
  readonly fixedRegion = (index: number): Region => this.#regions[index]!;

  readonly mapBar = (bar: number): RegisterBlock => {
    if ((this.pdev.resources[bar]?.length ?? 0) === 0)
      throw new VfioError('ENODEV', `${this.name}: has no BAR ${bar}`);
    return this.pdev.barMemory(bar);
  };

  readonly mapMemory = (memory: MappedMemory): DeviceMapping => {
    const { block, offset, length, accessible = () => true } = memory;
    return {
      length,
      memory: block.memory?.subarray(offset, offset + length),
      load: (at, size) => (accessible() ? block.read(offset + at, size) : 'SIGBUS'),
      store(at, size, value) {
        if (!accessible()) return 'SIGBUS';
        block.write(offset + at, size, value);
        return undefined;
      },
      unmap() {},
    };
  };

  /** Runs what was deferred, last first, as the last close does. */
  close(): void {
    for (const undo of this.#undos.splice(0).reverse()) undo();
  }
}
