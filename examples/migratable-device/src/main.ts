// A derived driver that brings a capability set: a device of four counters that can move to another machine.
import {
  MIGRATION,
  type MigrationOps,
  type MigrationStream,
  openFunction,
  type VfioPciDriver,
} from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';
import { DeviceClient, VfioError } from '@vfiokit/uapi';

const STATE_SIZE = 16;

/** Carries out single arcs; the core walks the state machine and owns the data file. */
class Counters implements MigrationOps {
  readonly support = { p2p: false, preCopy: false };
  #incoming: number[] = [];

  constructor(private readonly registers: Uint8Array) {}

  arc(from: string, to: string): MigrationStream | undefined {
    if (to === 'STOP_COPY') return this.#save();
    if (to === 'RESUMING') return this.#resume();
    if (from === 'RESUMING') this.#load();
    return undefined;
  }

  dataSize(): bigint {
    return BigInt(STATE_SIZE);
  }

  #save(): MigrationStream {
    let left = this.registers.slice(0, STATE_SIZE);
    return {
      read(into) {
        const count = Math.min(left.length, into.length);
        into.set(left.subarray(0, count));
        left = left.subarray(count);
        return count;
      },
    };
  }

  #resume(): MigrationStream {
    this.#incoming = [];
    return { write: (from) => this.#incoming.push(...from) && from.length };
  }

  /** The whole state has to be there before any of it counts. */
  #load(): void {
    const { length } = this.#incoming;
    if (length !== STATE_SIZE)
      throw new VfioError('EINVAL', `counters: ${length} of ${STATE_SIZE} bytes arrived`);
    this.registers.set(this.#incoming);
  }
}

/** A driver for one device, whose registers it knows. */
const driverOf = (registers: Uint8Array): VfioPciDriver => ({
  name: 'counter-vfio-pci',
  ids: [{ vendor: 0x1234, device: 0x0003 }],
  probe: (_pdev, container) => container.register(MIGRATION, { useValue: new Counters(registers) }),
});

/** A machine with the device, opened by a VMM. */
function open() {
  const registers = new Uint8Array(4096);
  const pdev = new PciTopology().add('0000:00:03.0', {
    config: Uint8Array.of(0x34, 0x12, 0x03, 0x00),
    configSize: 256,
    bars: [{ kind: 'memory', size: 4096, block: new MemoryBlock(registers) }],
  });
  const { device, process } = openFunction(pdev, { driver: driverOf(registers) });
  return { device, client: new DeviceClient(device, process) };
}

export function main(print: (line: string) => void): void {
  const [source, target] = [open(), open()];
  source.device.write(0, 8, 4, 1234);
  print(
    `source's counter: ${source.device.read(0, 8, 4)}, target's: ${target.device.read(0, 8, 4)}`,
  );
  const saving = source.client.setMigrationState('STOP_COPY')!;
  const resuming = target.client.setMigrationState('RESUMING')!;
  const buffer = new Uint8Array(10);
  for (let count = saving.read(buffer); count > 0; count = saving.read(buffer))
    resuming.write(buffer.subarray(0, count));
  target.client.setMigrationState('RUNNING');
  print(`moved; target's: ${target.device.read(0, 8, 4)}, ${target.client.migrationState()}`);
}
