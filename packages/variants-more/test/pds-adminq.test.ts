import { describe, expect, it } from 'vitest';
import { type DmaMemory, FakePdsCore } from '../src/index.js';
import { PdsVf } from '../src/pds/pds-vf.js';

const EINVAL = 22;
const VF = 5;
const u64 = (value: number) => [value, 0, 0, 0, 0, 0, 0, 0];

/** A PF that keeps every command, with what its list led to. */
class Recorder extends FakePdsCore {
  readonly commands: number[][] = [];
  readonly memory: number[][] = [];

  override execute(command: Uint8Array, memory: DmaMemory): Uint8Array | number {
    this.commands.push([...command]);
    const { buffer, byteOffset } = command;
    for (const [at, length] of this.lists) {
      const address = new DataView(buffer, byteOffset).getBigUint64(at, true);
      this.memory.push([...memory.at(address, length)!]);
    }
    const result = super.execute(command, memory);
    this.mapped = memory.size;
    return result;
  }

  /** Where commands have addresses, and how many bytes are looked at there. */
  lists: readonly (readonly [at: number, length: number])[] = [];
  mapped = 0;
}

function recorded() {
  const core = new Recorder();
  return { core, vf: new PdsVf(core, VF) };
}

describe("commands of a Pensando PF's administration queue", () => {
  it('begin with an opcode of one byte, and the VF in two at 2', () => {
    const { core, vf } = recorded();
    vf.stateSize();
    vf.dirtyDisable();
    expect(core.commands).toEqual([
      [16, 0, VF, 0],
      [34, 0, VF, 0],
    ]);
  });

  it('have a status or a type at 4', () => {
    const { core, vf } = recorded();
    vf.hostStatus(1);
    vf.suspend(1);
    vf.suspendStatus(1);
    vf.resume(0);
    expect(core.commands.map((command) => [command[0], command[2], command[4]])).toEqual([
      [1, VF, 1],
      [18, VF, 1],
      [19, VF, 1],
      [20, VF, 0],
    ]);
  });

  it('lead to a state by a list of pieces: its address at 8, their number at 16, 16 bytes each', () => {
    const { core, vf } = recorded();
    core.vf(VF).state = new Uint8Array(5000).fill(7);
    const size = vf.stateSize();
    core.lists = [[8, 32]];
    const state = new Uint8Array(size);
    expect(vf.save(state)).toBe(0);
    expect(core.commands[1]!.slice(0, 4)).toEqual([21, 0, VF, 0]);
    expect(core.commands[1]!.slice(16, 20)).toEqual([2, 0, 0, 0]);
    const [first, second] = [core.memory[0]!.slice(0, 16), core.memory[0]!.slice(16)];
    expect(first.slice(8, 12)).toEqual([0, 16, 0, 0]);
    const rest = size - 4096;
    expect(second.slice(8, 12)).toEqual([rest & 0xff, rest >> 8, 0, 0]);
    expect(second[1]! - first[1]!).toBe(16);
    core.vf(VF).state = new Uint8Array(0);
    core.lists = [];
    expect(vf.restore(state)).toBe(0);
    expect(core.vf(VF).state).toEqual(new Uint8Array(5000).fill(7));
  });

  it('describe regions in 16 bytes: address, pages at 8, log2 of their size at 12', () => {
    const { core, vf } = recorded();
    core.lists = [[8, 16]];
    const regions = [{ dmaBase: 0x42n, pageCount: 33, pageSizeLog2: 12 }];
    expect(vf.dirtyEnable(regions)).toMatchObject([{ dmaBase: 0x42n, pageCount: 64 }]);
    const [enable] = core.commands;
    expect(enable!.slice(0, 6)).toEqual([33, 0, VF, 0, 1, 1]);
    expect(core.memory[0]).toEqual([...u64(0x42), 33, 0, 0, 0, 12, 0, 0, 0]);
  });

  it('name a part of a map by offset at 4 and length at 8, and its list at 16 and 12', () => {
    const { core, vf } = recorded();
    vf.dirtyEnable([{ dmaBase: 0n, pageCount: 64, pageSizeLog2: 12 }]);
    core.commands.length = 0;
    core.lists = [[16, 16]];
    const seq = new Uint8Array(3);
    core.vf(VF).seq.set([1, 2, 3, 4, 5]);
    vf.readSeq(1, seq);
    vf.writeAck(2, Uint8Array.of(9));
    expect(core.commands.map((command) => command.slice(0, 14))).toEqual([
      [35, 0, VF, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0],
      [36, 0, VF, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0],
    ]);
    expect([...seq]).toEqual([2, 3, 4]);
    expect(core.vf(VF).ack[2]).toBe(9);
    expect(core.memory.map((entry) => entry[8])).toEqual([3, 1]);
  });

  it('are answered with how many regions there can be and are, the kind of map, and the kinds at 8', () => {
    const core = new FakePdsCore({ maxRegions: 3 });
    const vf = new PdsVf(core, 0);
    expect(vf.dirtyStatus()).toEqual({ maxRegions: 3, numRegions: 0, seqAck: true });
    vf.dirtyEnable([{ dmaBase: 0n, pageCount: 1, pageSizeLog2: 12 }]);
    const completion = core.execute(Uint8Array.of(32, 0, 0, 0), undefined as never);
    expect([...(completion as Uint8Array)]).toEqual([0, 0, 0, 0, 3, 1, 1, 0, 2, 0, 0, 0]);
  });

  it('leave nothing mapped', () => {
    const { core, vf } = recorded();
    expect(vf.restore(new Uint8Array(9000))).toBe(-EINVAL);
    vf.dirtyEnable([]);
    vf.stateSize();
    expect(core.mapped).toBe(0);
  });
});
