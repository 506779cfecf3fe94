import { type OpenedFunction, openFunction } from '@vfiokit/core';
import { VirtualClock } from '@vfiokit/driver-model';
import { MemoryBlock, type PciDevice, PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { FakeVirtioPf, type FakeVirtioPfOptions, virtioDriver } from '../src/index.js';

const EIO = 5;
export const NOTIFY = { bar: 4, offset: 0x100 };

export interface VirtioMachineOptions extends FakeVirtioPfOptions {
  readonly device?: number;
  /** The VF has a BAR 0 of its own. */
  readonly bar0?: boolean;
  /** The PF is bound to something else. */
  readonly foreignPf?: boolean;
}

/** A virtio PF with its native driver, and its first VF. */
export class VirtioMachine {
  readonly clock = new VirtualClock();
  readonly topology = new PciTopology();
  readonly pf: FakeVirtioPf;
  readonly vf: PciDevice;
  /** What is behind the VF's BAR of notifications. */
  readonly doorbells = new MemoryBlock(4096);

  constructor({
    device = 0x1041,
    bar0 = false,
    foreignPf = false,
    ...pf
  }: VirtioMachineOptions = {}) {
    this.pf = new FakeVirtioPf(pf);
    const physfn = this.topology.add('0000:01:00.0', {
      config: buildConfig({
        vendor: 0x1af4,
        device,
        class: 0x020000,
        sriov: { totalVfs: 4, numVfs: 1, vfDevice: device },
      }),
    });
    physfn.driverData = foreignPf ? {} : this.pf;
    const config = buildConfig({
      vendor: 0x1af4,
      device,
      class: 0x020000,
      revision: 1,
      subsystemDevice: 0x1100,
      msix: { vectors: 2, bar: 4 },
    });
    const bar = { size: 4096, kind: 'memory' } as const;
    this.vf = this.topology.add(
      '0000:01:00.1',
      {
        config,
        bars: [
          bar0 ? bar : undefined,
          undefined,
          undefined,
          undefined,
          { ...bar, block: this.doorbells },
        ],
      },
      { physfn, ids: { vendor: 0x1af4, device } },
    );
  }

  /** The command after so many more fails, and only that; whether it has come. */
  failAfter(count: number): () => boolean {
    let left = count;
    const { pf } = this;
    pf.execute = (...command) => {
      left -= 1;
      return left === -1 ? -EIO : FakeVirtioPf.prototype.execute.apply(pf, command);
    };
    return () => left < 0;
  }

  get member() {
    return this.pf.member(1);
  }

  open(): OpenedFunction & { readonly client: DeviceClient } {
    const opened = openFunction(this.vf, { driver: virtioDriver(this.clock) });
    const client = new DeviceClient(opened.device, opened.process);
    return {
      ...opened,
      client,
      [Symbol.dispose]() {
        client.close();
        opened[Symbol.dispose]();
      },
    };
  }
}
