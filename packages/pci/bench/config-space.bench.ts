import { ConfigSpace, MemoryBlock, PciTopology } from '@vfiokit/pci';

const CALLS = 4_000_000;

/** Nanoseconds a call, the best of several rounds, of which the first ones only warm up. */
function nanoseconds(run: (calls: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 6; round += 1) {
    const start = process.hrtime.bigint();
    run(CALLS);
    const spent = Number(process.hrtime.bigint() - start) / CALLS;
    if (round > 1) best = Math.min(best, spent);
  }
  return best;
}

/** Accesses to a function's registers and memory, against the least that they can cost: masked dwords of arrays. */
export function bench(report: (line: string) => void): void {
  const registers = new Uint32Array(1024);
  const masks = new Uint32Array(1024).fill(0x00ff00ff);
  const view = new DataView(new ArrayBuffer(4096));
  const maskView = new DataView(masks.buffer);
  const config = new ConfigSpace({
    bytes: new Uint8Array(4096),
    writeMask: new Uint8Array(masks.buffer),
  });
  const hooked = new ConfigSpace({ bytes: new Uint8Array(4096) });
  let effects = 0;
  for (let at = 0; at < 4096; at += 4)
    hooked.attach(at, {
      written: () => {
        effects += 1;
      },
    });
  let sum = 0;
  const at = (i: number) => (i & 255) << 2;

  const floorRead = nanoseconds((calls) => {
    for (let i = 0; i < calls; i += 1) sum ^= registers[at(i) >>> 2]! & masks[at(i) >>> 2]!;
  });
  const floorWrite = nanoseconds((calls) => {
    for (let i = 0; i < calls; i += 1) {
      const mask = maskView.getUint32(at(i), true);
      view.setUint32(at(i), (view.getUint32(at(i), true) & ~mask) | (i & mask), true);
    }
  });
  const compare = (name: string, floor: number, run: (calls: number) => void) => {
    const spent = nanoseconds(run);
    report(
      `${name.padEnd(46)}${(spent / floor).toFixed(1)}x the floor   [${spent.toFixed(1)} / ${floor.toFixed(1)} ns]`,
    );
  };
  compare('config read, dword', floorRead, (calls) => {
    for (let i = 0; i < calls; i += 1) sum ^= config.read(at(i), 4);
  });
  compare('config read, byte', floorRead, (calls) => {
    for (let i = 0; i < calls; i += 1) sum ^= config.read(i & 1023, 1);
  });
  compare('config write, dword', floorWrite, (calls) => {
    for (let i = 0; i < calls; i += 1) config.write(at(i), 4, i);
  });
  compare('config write, dword with an effect', floorWrite, (calls) => {
    for (let i = 0; i < calls; i += 1) hooked.write(at(i), 4, i);
  });

  const device = new PciTopology().add('0000:00:01.0', {
    config: new Uint8Array(64),
    bars: [{ size: 4096, kind: 'memory', block: new MemoryBlock(4096) }],
  });
  device.config.write(0x04, 2, 2);
  const memory = device.barMemory(0);
  compare('BAR read, dword, of a function that decodes', floorRead, (calls) => {
    for (let i = 0; i < calls; i += 1) sum ^= memory.read(at(i), 4);
  });
  compare('runtime PM get and put of an active device', floorRead, (calls) => {
    for (let i = 0; i < calls; i += 1) {
      device.runtimePm.get();
      device.runtimePm.put();
    }
  });
  report(`checksum ${(sum ^ effects) & 1}`);
}
