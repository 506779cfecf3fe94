import { VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { drain, MlxMachine, type MlxMachineOptions, records } from './mlx-machine.js';

const EIO = 5;
const EAGAIN = 11;
const ENODEV = 19;
const ENOMSG = 42;
const SAVE = 0x118;
const QUERY = 0x117;
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

/** The inputs of commands from now on, by opcode. */
function inputs({ machine: { firmware } }: ReturnType<typeof open>) {
  const all: Uint8Array[] = [];
  const execute = firmware.execute.bind(firmware);
  firmware.execute = (input, memory) => {
    all.push(input);
    return execute(input, memory);
  };
  return (opcode: number) =>
    all.filter((input) => new DataView(input.buffer).getUint16(0) === opcode);
}

describe('the arcs of a ConnectX VF', () => {
  it('[derived:117] stop the initiator first, then the responder', () => {
    using vf = open();
    vf.client.setMigrationState('STOP');
    expect(vf.machine.commands()).toEqual(['SUSPEND_VHCA', 'SUSPEND_VHCA/1']);
    expect([vf.machine.vhca.initiatorSuspended, vf.machine.vhca.responderSuspended]).toEqual([
      true,
      true,
    ]);
  });

  it('[derived:118] start the responder first, then the initiator', () => {
    using vf = open();
    vf.client.setMigrationState('STOP');
    vf.machine.commands();
    vf.client.setMigrationState('RUNNING');
    expect(vf.machine.commands()).toEqual(['RESUME_VHCA', 'RESUME_VHCA/1']);
    expect(vf.machine.vhca.initiatorSuspended).toBe(false);
  });

  it('save a stopped VF with one query and one save', () => {
    using vf = open();
    vf.client.setMigrationState('STOP');
    vf.machine.commands();
    vf.client.setMigrationState('STOP_COPY');
    expect(vf.machine.commands()).toEqual(['QUERY_VHCA_MIGRATION_STATE', 'SAVE_VHCA_STATE']);
    expect(vf.machine.vhca.tracking).toBe('off');
  });

  it('[derived:121] track changes from PRE_COPY on', () => {
    using vf = open();
    const asked = inputs(vf);
    vf.client.setMigrationState('PRE_COPY');
    expect(vf.machine.commands()).toEqual(['QUERY_VHCA_MIGRATION_STATE', 'SAVE_VHCA_STATE']);
    expect(asked(QUERY).map((input) => input[8]! >> 6)).toEqual([0b00]);
    expect(asked(SAVE).map((input) => input[8]! >> 6)).toEqual([0b01]);
    expect(vf.machine.vhca.tracking).toBe('on');
  });

  it('[derived:130] end tracking when the VF runs on after all', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    const asked = inputs(vf);
    vf.machine.commands();
    vf.client.setMigrationState('RUNNING');
    expect(vf.machine.commands()).toEqual(['QUERY_VHCA_MIGRATION_STATE', 'SAVE_VHCA_STATE']);
    // Bits 0x40 and 0x41: what changed, if the VF is queried; neither that nor tracking, if it is saved.
    expect(asked(QUERY).map((input) => input[8]! >> 6)).toEqual([0b10]);
    expect(asked(SAVE).map((input) => input[8]! >> 6)).toEqual([0b00]);
    expect(vf.machine.vhca.tracking).toBe('off');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
  });

  it('are -EIO if that fails, and can be tried again', () => {
    using vf = open();
    vf.client.setMigrationState('PRE_COPY');
    vf.machine.firmware.failing.set(SAVE, INTERNAL_ERROR);
    expect(() => vf.client.setMigrationState('RUNNING')).toThrow(
      expect.objectContaining({ code: 'EIO' }),
    );
    expect(vf.client.migrationState()).toBe('PRE_COPY');
    vf.machine.firmware.failing.clear();
    vf.client.setMigrationState('RUNNING');
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('leave no resources behind', () => {
    using vf = open();
    for (const state of ['PRE_COPY', 'STOP_COPY', 'RESUMING', 'RUNNING'] as const)
      vf.client.setMigrationState(state);
    expect(vf.machine.firmware.resources).toBe(0);
  });
});

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
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    change(vf);
    vf.machine.vhca.tracking = 'lost';
    vf.client.precopyInfo(file);
    expect(drain(file).end).toBe(-ENOMSG);
    expect(vf.client.precopyInfo(file).dirtyBytes).toBe(0n);
    vf.client.setMigrationState('STOP_COPY');
    const [image, ...more] = records(drain(file).bytes);
    expect(image).toMatchObject({ tag: 0, size: STATE + PIECE });
    expect(more).toEqual([]);
  });

  it('can be given up after tracking was lost', () => {
    using vf = open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    drain(file);
    change(vf);
    vf.machine.vhca.tracking = 'lost';
    vf.client.precopyInfo(file);
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

describe('an error at an arc', () => {
  it.each([
    ['RUNNING', 'STOP', 0x115, 'RUNNING'],
    ['STOP', 'RUNNING', 0x116, 'STOP'],
    ['STOP', 'STOP_COPY', QUERY, 'STOP'],
    ['STOP', 'STOP_COPY', 0x200, 'STOP'],
    ['STOP', 'STOP_COPY', 0x800, 'STOP'],
    ['RUNNING', 'PRE_COPY', QUERY, 'RUNNING'],
    ['STOP', 'RESUMING', 0x800, 'STOP'],
    ['PRE_COPY', 'RUNNING', QUERY, 'PRE_COPY'],
  ] as const)('from %s to %s leaves the VF where it was: command %i', (from, to, opcode, left) => {
    using vf = open();
    const before = vf.machine.state.slice();
    if (from !== 'RUNNING') vf.client.setMigrationState(from);
    vf.machine.firmware.failing.set(opcode, INTERNAL_ERROR);
    expect(() => vf.client.setMigrationState(to)).toThrow(expect.objectContaining({ errno: -EIO }));
    expect(vf.client.migrationState()).toBe(left);
    vf.machine.firmware.failing.clear();
    vf.client.setMigrationState('RUNNING');
    expect(vf.machine.state).toEqual(before);
    expect(vf.machine.firmware.resources).toBe(0);
  });
});
