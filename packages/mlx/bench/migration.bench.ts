import { openFunction } from '@vfiokit/core';
import { FakeFirmware, FakeVhca, MLX5_VFIO_PCI, Mlx5Core, type VhcaMemory } from '@vfiokit/mlx';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const PIECE = MIB;

/** State that is the same everywhere, so that a GiB of it takes no GiB. */
class PatternMemory implements VhcaMemory {
  readonly size = GIB;
  readonly #pattern = new Uint8Array(4 * MIB).fill(0x5a);
  written = 0;

  read(_offset: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; at += this.#pattern.length)
      into.set(this.#pattern.subarray(0, Math.min(this.#pattern.length, into.length - at)), at);
  }

  write(_offset: number, from: Uint8Array): void {
    this.written += from.length;
  }
}

function vf(memory: VhcaMemory, bus: number): PciDevice {
  const firmware = new FakeFirmware();
  firmware.addFunction(1, new FakeVhca({ memory, chunkSize: 8 * MIB }));
  const topology = new PciTopology();
  const header = (device: number) => Uint8Array.of(0xb3, 0x15, device & 0xff, device >> 8);
  const physfn = topology.add(`0000:0${bus}:00.0`, { config: header(0x101d), configSize: 256 });
  physfn.driverData = new Mlx5Core({
    commands: firmware,
    capabilities: { migrationInChunks: true },
  });
  const ids = { vendor: 0x15b3, device: 0x101e };
  return topology.add(
    `0000:0${bus}:00.1`,
    { config: header(0x101e), configSize: 256 },
    { physfn, ids },
  );
}

/** A stopped VF with 1 GiB of state, through the data files, in chunks. */
export function bench(report: (line: string) => void): void {
  const target = new PatternMemory();
  const from = openFunction(vf(new PatternMemory(), 1), { driver: MLX5_VFIO_PCI });
  const to = openFunction(vf(target, 2), { driver: MLX5_VFIO_PCI });
  const [source, sink] = [from, to].map(({ device, process }) => new DeviceClient(device, process));
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const start = performance.now();
  const out = source!.setMigrationState('STOP_COPY')!;
  const into = sink!.setMigrationState('RESUMING')!;
  const piece = new Uint8Array(PIECE);
  let pieces = 0;
  for (let count = out.read(piece); count > 0; count = out.read(piece)) {
    into.write(count === PIECE ? piece : piece.subarray(0, count));
    pieces += 1;
    if (pieces % 64 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers);
  }
  const seconds = (performance.now() - start) / 1000;
  if (target.written !== GIB) throw new RangeError(`${target.written} bytes arrived`);
  from[Symbol.dispose]();
  to[Symbol.dispose]();
  report(`1 GiB of state: ${(1 / seconds).toFixed(2)} GiB/s (${seconds.toFixed(2)} s)`);
  report(`memory at its peak: ${((peak - before) / MIB).toFixed(0)} MiB more`);
}
