// A derived driver that brings a capability set: its device moves to another machine while it goes on counting.
import { MIGRATION, openFunction, type VfioPciDriver } from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';
import { DeviceClient, type MigrationFile } from '@vfiokit/uapi';
import { Counters } from './counters.js';

export { Counters } from './counters.js';

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

/** Moves what there is now, in pieces; how many bytes it was. */
function pour(from: MigrationFile, to: MigrationFile): number {
  const piece = new Uint8Array(10);
  let total = 0;
  // 0 at the end of a transfer, -ENOMSG while the device runs on.
  for (let count = from.read(piece); count > 0; count = from.read(piece))
    total += to.write(piece.subarray(0, count));
  return total;
}

export function main(print: (line: string) => void): void {
  const [source, target] = [open(), open()];
  const show = (what: string, bytes: number) =>
    print(
      `${what}: ${bytes} bytes; source's counter: ${source.device.read(0, 8, 4)}, target's: ${target.device.read(0, 8, 4)}`,
    );
  source.device.write(0, 8, 4, 1000);
  const saving = source.client.setMigrationState('PRE_COPY')!;
  const resuming = target.client.setMigrationState('RESUMING')!;
  show('running', pour(saving, resuming));
  source.device.write(0, 8, 4, 1234);
  source.client.setMigrationState('STOP_COPY');
  show('stopped', pour(saving, resuming));
  target.client.setMigrationState('RUNNING');
  print(`moved; target's: ${target.device.read(0, 8, 4)}, ${target.client.migrationState()}`);
}
