import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drain, MlxMachine, type MlxMachineOptions, records } from './mlx-machine.js';

const ENOMEM = 12;
const ENODEV = 19;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const OPTIONAL = 1;

const open = (options?: MlxMachineOptions) => new MlxMachine(options).open();

/** A VF that was saved, as a stream. */
function saved(change: (machine: MlxMachine) => void = () => {}): {
  stream: Uint8Array;
  state: Uint8Array;
} {
  const machine = new MlxMachine();
  machine.state.fill(0x3c, 8);
  change(machine);
  using vf = machine.open();
  return { stream: drain(vf.client.setMigrationState('STOP_COPY')!).bytes, state: machine.state };
}

function record(
  tag: number,
  payload: Uint8Array,
  flags = 0,
  size = BigInt(payload.length),
): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, size, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, tag, true);
  bytes.set(payload, 16);
  return bytes;
}

const loads = (vf: ReturnType<typeof open>) =>
  vf.machine.commands().filter((name) => name === 'LOAD_VHCA_STATE').length;

describe('loading a ConnectX VF', () => {
  it('[derived:134] takes headers that are split over writes', () => {
    const { stream, state } = saved();
    for (const cut of [1, 15, 16, 23, 24, 30, 40, 41, 5000]) {
      using vf = open();
      const file = vf.client.setMigrationState('RESUMING')!;
      expect(file.write(stream.subarray(0, cut))).toBe(cut);
      expect(file.write(stream.subarray(cut))).toBe(stream.length - cut);
      expect(vf.machine.state).toEqual(state);
    }
  });

  it('[derived:137] loads an image before the write returns that completes it', () => {
    const { stream } = saved();
    using vf = open();
    const file = vf.client.setMigrationState('RESUMING')!;
    vf.machine.commands();
    file.write(stream.subarray(0, stream.length - 1));
    expect(loads(vf)).toBe(0);
    file.write(stream.subarray(stream.length - 1));
    expect(loads(vf)).toBe(1);
  });

  it('takes several images, one after the other', () => {
    const source = new MlxMachine().open();
    const file = source.client.setMigrationState('PRE_COPY')!;
    source.machine.vhca.change(5000, Uint8Array.of(1, 2, 3));
    source.client.setMigrationState('STOP_COPY');
    const stream = drain(file).bytes;
    expect(records(stream)).toHaveLength(3);
    using target = open();
    target.machine.state.fill(0xff);
    target.machine.commands();
    target.client.setMigrationState('RESUMING')!.write(stream);
    expect(target.machine.state).toEqual(source.machine.state);
    expect(loads(target)).toBe(2);
  });

  it('[derived:135] refuses unknown records unless they are optional', () => {
    const { stream, state } = saved();
    using vf = open();
    const file = vf.client.setMigrationState('RESUMING')!;
    const optional = record(77, Uint8Array.of(1, 2, 3), OPTIONAL);
    expect(file.write(optional)).toBe(optional.length);
    expect(file.write(stream)).toBe(stream.length);
    expect(vf.machine.state).toEqual(state);
    expect(file.write(record(77, Uint8Array.of(1)))).toBe(-EOPNOTSUPP);
  });

  it('[derived:136] has no room for a record of 4 GiB, or of nearly as much', () => {
    for (const size of [2n ** 32n, 2n ** 32n - 1n]) {
      using vf = open();
      const file = vf.client.setMigrationState('RESUMING')!;
      expect(file.write(record(0, new Uint8Array(0), 0, size))).toBe(-ENOMEM);
    }
  });

  it('is not misled by the size that the source advises', () => {
    const { stream, state } = saved();
    using vf = open();
    const file = vf.client.setMigrationState('RESUMING')!;
    const advice = new Uint8Array(8);
    new DataView(advice.buffer).setBigUint64(0, 64n, true);
    file.write(record(1, advice, OPTIONAL));
    file.write(stream.subarray(24));
    expect(vf.machine.state).toEqual(state);
  });

  it('[derived:138] is dead after the firmware refused an image', () => {
    const { stream } = saved();
    using vf = open();
    vf.machine.firmware.failing.set(0x119, 3);
    const file = vf.client.setMigrationState('RESUMING')!;
    expect(file.write(stream)).toBe(-EINVAL);
    expect(file.write(stream)).toBe(-ENODEV);
  });

  it('keeps the state of the target when the stream was tampered with', () => {
    const { stream } = saved();
    for (let at = 40; at < stream.length; at += 487) {
      using vf = open();
      const before = vf.machine.state.slice();
      const tampered = stream.slice();
      tampered[at]! ^= 0x10;
      expect(vf.client.setMigrationState('RESUMING')!.write(tampered)).toBeLessThan(0);
      expect(vf.machine.state).toEqual(before);
    }
  });

  it('notices any bit of an image of a MiB that was changed', () => {
    using source = open({ stateSize: 1 << 20 });
    const { bytes } = drain(source.client.setMigrationState('STOP_COPY')!);
    // Behind the advice of 24 bytes and the record's header.
    const at = fc.integer({ min: 40, max: bytes.length - 1 });
    fc.assert(
      fc.property(at, fc.nat(7), (place, bit) => {
        using vf = open({ stateSize: 1 << 20 });
        const tampered = bytes.slice();
        tampered[place]! ^= 1 << bit;
        expect(vf.client.setMigrationState('RESUMING')!.write(tampered)).toBe(-EINVAL);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps the state of the target when the stream is cut short', () => {
    const { stream } = saved();
    using vf = open();
    const before = vf.machine.state.slice();
    vf.client.setMigrationState('RESUMING')!.write(stream.subarray(0, stream.length - 10));
    vf.client.setMigrationState('RUNNING');
    expect(vf.machine.state).toEqual(before);
    expect(vf.machine.firmware.resources).toBe(0);
  });
});
