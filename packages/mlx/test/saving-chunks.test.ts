import { VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { drain, MlxMachine, type MlxMachineOptions } from './mlx-machine.js';

const ENODEV = 19;
const SAVE = 0x118;
const INTERNAL_ERROR = 1;
/** What the fake firmware puts in front of a piece of state. */
const PIECE = 32;
const STATE = 10_000;

const open = (options?: MlxMachineOptions) => new MlxMachine(options).open();

describe('chunks', () => {
  const CHUNK = 4096;
  const chunked = () =>
    open({ capabilities: { migrationInChunks: true }, chunkSize: CHUNK, stateSize: 40_000 });
  const saves = (vf: ReturnType<typeof open>) =>
    vf.machine.commands().filter((name) => name.startsWith('SAVE')).length;

  it('[derived:131 derived:132] are saved into two buffers, the next one when one of them was read', () => {
    using vf = open({
      capabilities: { migrationInChunks: true },
      chunkSize: 4 << 20,
      stateSize: 30 << 20,
    });
    const file = vf.client.setMigrationState('STOP_COPY')!;
    expect(saves(vf)).toBe(2);
    const first = new Uint8Array(24 + 16 + (8 << 20));
    expect(file.read(first.subarray(0, first.length - 1))).toBe(first.length - 1);
    expect(saves(vf)).toBe(0);
    expect(file.read(new Uint8Array(1))).toBe(1);
    expect(saves(vf)).toBe(1);
    const rest = drain(file, 1 << 20);
    expect(rest.end).toBe(0);
    expect(saves(vf)).toBe(1);
    expect(first.length + rest.bytes.length).toBe(24 + 4 * 16 + 4 * PIECE + (30 << 20));
  });

  it('[derived:133] add up to the data size, which is what is required otherwise', () => {
    const size = (vf: ReturnType<typeof open>) =>
      vf.client.getFeature(VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize)
        .stopCopyLength;
    using inChunks = chunked();
    expect(size(inChunks)).toBe(BigInt(40_000 + PIECE));
    using plain = open();
    expect(size(plain)).toBe(BigInt(STATE + PIECE));
  });

  it('of a running VF come one query at a time', () => {
    using vf = chunked();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    const sizes: number[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      sizes.push(drain(file).bytes.length);
      if (vf.client.precopyInfo(file).dirtyBytes === 0n) break;
    }
    expect(sizes.length).toBeGreaterThan(2);
    vf.client.setMigrationState('STOP_COPY');
    expect(drain(file).end).toBe(0);
  });

  it('fail the transfer if one of them can not be saved', () => {
    using vf = open({
      capabilities: { migrationInChunks: true },
      chunkSize: 4 << 20,
      stateSize: 30 << 20,
    });
    const file = vf.client.setMigrationState('STOP_COPY')!;
    vf.machine.firmware.failing.set(SAVE, INTERNAL_ERROR);
    expect(drain(file, 1 << 20).end).toBe(-ENODEV);
  });
});
