import { describe, expect, it } from 'vitest';
import { MlxMachine } from './mlx-machine.js';

const EIO = 5;
const ENODEV = 19;
const SAVE = 0x118;
const QUERY = 0x117;
const INTERNAL_ERROR = 1;

const open = () => new MlxMachine().open();

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
