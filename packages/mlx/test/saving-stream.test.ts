import type { MigrationFile } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { drain, MlxMachine, type MlxMachineOptions, records } from './mlx-machine.js';

const EAGAIN = 11;
const ENODEV = 19;
const ENOMSG = 42;
const SAVE = 0x118;
const BAD_RES_STATE = 9;
const INTERNAL_ERROR = 1;
/** What the fake firmware puts in front of a piece of state. */
const PIECE = 32;
const STATE = 10_000;
const BLOCK = 4096;

const open = (options?: MlxMachineOptions) => new MlxMachine(options).open();

/** The device changes one byte of a block of its state. */
const change = (vf: ReturnType<typeof open>, block = 1) =>
  vf.machine.vhca.change(block * BLOCK + 5, Uint8Array.of(0xee));

/** A transfer that was under way when the device lost track of its changes. */
function withoutTracking(vf: ReturnType<typeof open>): MigrationFile {
  const file = vf.client.setMigrationState('PRE_COPY')!;
  drain(file);
  change(vf);
  vf.machine.vhca.tracking = 'lost';
  vf.client.precopyInfo(file);
  return file;
}

describe('the stream of a ConnectX VF', () => {
  it('[derived:119 derived:120] begins with the size for the destination, then images', () => {
    using vf = open();
    const { bytes, end } = drain(vf.client.setMigrationState('STOP_COPY')!);
    const [size, image, ...more] = records(bytes);
    expect([size!.size, size!.flags, size!.tag]).toEqual([8, 1, 1]);
    expect(Buffer.from(size!.payload).readBigUInt64LE()).toBe(12288n);
    expect([image!.flags, image!.tag, image!.size]).toEqual([0, 0, STATE + PIECE]);
    expect(more).toEqual([]);
    expect(end).toBe(0);
  });

  it('[derived:122 derived:123] says that there is nothing for now, and nothing more', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    expect(drain(file).end).toBe(-ENOMSG);
    vf.client.setMigrationState('STOP_COPY');
    expect(drain(file).end).toBe(0);
    expect(drain(file).end).toBe(0);
  });

  it('[derived:122] is -EAGAIN while the first save of a running VF is under way, and has nothing for now while a later one is', () => {
    using vf = open();
    vf.machine.firmware.holding = true;
    const file = vf.client.setMigrationState('PRE_COPY')!;
    expect(drain(file)).toMatchObject({ end: -EAGAIN });
    vf.machine.firmware.settle();
    expect(drain(file).end).toBe(-ENOMSG);
    change(vf);
    vf.client.precopyInfo(file);
    expect(drain(file)).toMatchObject({ bytes: Buffer.alloc(0), end: -ENOMSG });
    vf.machine.firmware.settle();
    expect(drain(file).bytes).toHaveLength(16 + BLOCK + PIECE);
  });

  it('[derived:124] is -EAGAIN while a save is under way', () => {
    using vf = open();
    vf.client.setMigrationState('STOP');
    vf.machine.firmware.holding = true;
    const file = vf.client.setMigrationState('STOP_COPY')!;
    expect(drain(file)).toMatchObject({ end: -EAGAIN });
    expect(file.poll().readable).toBe(false);
    vf.machine.firmware.settle();
    expect(file.poll().readable).toBe(true);
    expect(drain(file).end).toBe(0);
  });

  it('[derived:125] promises all of the first image while it runs', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    expect(vf.client.precopyInfo(file)).toMatchObject({
      initialBytes: BigInt(24 + 16 + STATE + PIECE),
      dirtyBytes: 0n,
    });
    file.read(new Uint8Array(24 + 16));
    expect(vf.client.precopyInfo(file).initialBytes).toBe(BigInt(STATE + PIECE));
  });

  it('[derived:126] saves changes when all was read', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    expect(vf.client.precopyInfo(file)).toMatchObject({ initialBytes: 0n, dirtyBytes: 0n });
    change(vf);
    vf.machine.commands();
    expect(vf.client.precopyInfo(file).dirtyBytes).toBe(BigInt(16 + BLOCK + PIECE));
    expect(vf.machine.commands()).toEqual(['QUERY_VHCA_MIGRATION_STATE', 'SAVE_VHCA_STATE']);
    const [image] = records(drain(file).bytes);
    expect(image).toMatchObject({ tag: 0, size: BLOCK + PIECE });
    expect(vf.machine.vhca.tracking).toBe('on');
  });

  it('tells of changes without saving them while there is something to read', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    file.read(new Uint8Array(24 + 16 + STATE));
    change(vf);
    vf.machine.commands();
    expect(vf.client.precopyInfo(file)).toMatchObject({ initialBytes: BigInt(PIECE) });
    expect(vf.machine.commands()).toEqual(['QUERY_VHCA_MIGRATION_STATE']);
  });

  it('[derived:127] asks no firmware in PRE_COPY_P2P', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    change(vf);
    vf.client.setMigrationState('PRE_COPY_P2P');
    vf.machine.commands();
    expect(vf.client.precopyInfo(file)).toMatchObject({ initialBytes: 0n, dirtyBytes: 0n });
    expect(vf.machine.commands()).toEqual([]);
  });

  it('holds the last changes behind the first image', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    change(vf, 2);
    vf.client.setMigrationState('STOP_COPY');
    expect(records(drain(file).bytes).map(({ tag, size }) => [tag, size])).toEqual([
      [1, 8],
      [0, STATE + PIECE],
      [0, STATE - 2 * BLOCK + PIECE],
    ]);
    expect(vf.machine.vhca.tracking).toBe('off');
  });

  it('[derived:128] ends with a full image if tracking was lost', () => {
    using vf = open();
    const file = withoutTracking(vf);
    expect(drain(file).end).toBe(-ENOMSG);
    expect(vf.client.precopyInfo(file).dirtyBytes).toBe(0n);
    vf.client.setMigrationState('STOP_COPY');
    const [image, ...more] = records(drain(file).bytes);
    expect(image).toMatchObject({ tag: 0, size: STATE + PIECE });
    expect(more).toEqual([]);
  });

  it('can be given up after tracking was lost', () => {
    using vf = open();
    withoutTracking(vf);
    vf.client.setMigrationState('RUNNING');
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('[derived:129] is -ENODEV after any other failure', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    change(vf);
    vf.machine.firmware.failing.set(SAVE, INTERNAL_ERROR);
    vf.client.precopyInfo(file);
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
    expect(file.poll().readable).toBe(true);
    vf.machine.firmware.failing.clear();
    expect(() => vf.client.precopyInfo(file)).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    expect(() => vf.client.setMigrationState('STOP_COPY')).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    expect(vf.client.migrationState()).toBe('PRE_COPY_P2P');
  });

  it('has failed if the last save of a stopped VF is refused for its state', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    vf.machine.firmware.failing.set(SAVE, BAD_RES_STATE);
    vf.client.setMigrationState('STOP_COPY');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
  });

  it('starts over for a user that knows how, when the VF was initialised anew', () => {
    using vf = open({ capabilities: { migrationState: true } });
    vf.client.setFeature(12);
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    vf.machine.vhca.initialise();
    const info = vf.client.precopyInfo(file);
    expect(info).toMatchObject({
      flags: 1,
      initialBytes: BigInt(16 + STATE + PIECE),
      dirtyBytes: 0n,
    });
    file.read(new Uint8Array(16));
    expect(vf.client.precopyInfo(file)).toMatchObject({
      flags: 0,
      initialBytes: BigInt(STATE + PIECE),
    });
  });

  it('does not start over for one that does not', () => {
    using vf = open({ capabilities: { migrationState: true } });
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    vf.machine.vhca.initialise();
    expect(vf.client.precopyInfo(file)).toMatchObject({
      initialBytes: 0n,
      dirtyBytes: BigInt(16 + STATE + PIECE),
    });
  });
});
