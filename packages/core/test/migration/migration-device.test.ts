import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  MigrationBroken,
  type MigrationControl,
  type MigrationOps,
  type MigrationStream,
} from '../../src/extension.js';
import { MigrationDevice } from '../../src/migration/migration-device.js';

const EINVAL = 22;
const EIO = 5;
const ENODEV = 19;
const ENOMSG = 42;
const ENOTTY = 25;
const EFAULT = 14;
const PRECOPY_INFO = 0x3b79;

/** A device that notes its arcs and whose streams hold as many bytes as it is told. */
class NotedDevice implements MigrationOps {
  readonly log: string[] = [];
  failing: string | undefined;
  broken = false;
  /** Bytes that a saving stream still has. */
  left = 0;
  /** Whether its streams would not block. */
  ready = true;
  reinit = false;
  ended = 0;
  resets = 0;

  constructor(readonly support = { p2p: true, preCopy: true }) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    const name = `${from}>${to}`;
    if (this.failing === name) {
      if (this.broken) throw new MigrationBroken('EIO', 'toy: lost');
      throw new VfioError('EIO', 'toy: not now');
    }
    this.log.push(name);
    const ready = () => this.ready;
    if (to === 'RESUMING') return { write: (bytes) => bytes.length, ready, end: () => this.#end() };
    if (['STOP>STOP_COPY', 'RUNNING>PRE_COPY', 'RUNNING_P2P>PRE_COPY_P2P'].includes(name))
      return {
        read: (into) => {
          const count = Math.min(this.left, into.length);
          this.left -= count;
          return count;
        },
        precopyInfo: () => ({
          initialBytes: BigInt(this.left),
          dirtyBytes: 5n,
          reinit: this.reinit,
        }),
        ready,
        end: () => this.#end(),
      };
    return undefined;
  }

  dataSize(): bigint {
    return 4096n;
  }

  reset(): void {
    this.resets += 1;
  }

  #end(): void {
    this.ended += 1;
  }
}

const file = (device: MigrationDevice, state: MigrationState) => {
  const result = device.set(state);
  if (typeof result !== 'object') throw new RangeError(`no file but ${result}`);
  return result;
};

/** struct vfio_precopy_info with this argsz and these flags. */
const precopyInfo = (argsz = 24, flags = 0xabcd) => {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, argsz, true);
  view.setUint32(4, flags, true);
  return { bytes, view };
};

describe('a migrating device', () => {
  it('[core:C8.1] runs at first', () => {
    expect(new MigrationDevice(new NotedDevice()).state).toBe('RUNNING');
  });

  it('[core:C8.2 core:C8.3] refuses states that there are not', () => {
    const device = new MigrationDevice(new NotedDevice({ p2p: true, preCopy: false }));
    expect(device.set('ERROR')).toBe(-EINVAL);
    expect(device.set('PRE_COPY')).toBe(-EINVAL);
    expect(device.state).toBe('RUNNING');
  });

  it('[core:C8.4] stays where it is without a file', () => {
    const ops = new NotedDevice();
    expect(new MigrationDevice(ops).set('RUNNING')).toBeUndefined();
    expect(ops.log).toEqual([]);
  });

  it('[core:C8.5] walks over P2P to STOP_COPY and gives a file', () => {
    const ops = new NotedDevice({ p2p: true, preCopy: false });
    expect(new MigrationDevice(ops).set('STOP_COPY')).toBeTypeOf('object');
    expect(ops.log).toEqual(['RUNNING>RUNNING_P2P', 'RUNNING_P2P>STOP', 'STOP>STOP_COPY']);
  });

  it('[core:C8.7] keeps its file from PRE_COPY to STOP_COPY', () => {
    const ops = new NotedDevice();
    const device = new MigrationDevice(ops);
    const data = file(device, 'PRE_COPY');
    expect(device.set('STOP_COPY')).toBeUndefined();
    ops.left = 3;
    expect(data.read(new Uint8Array(8))).toBe(3);
    expect(ops.ended).toBe(0);
  });

  it('[core:C8.8] does not go back from STOP_COPY to PRE_COPY', () => {
    const device = new MigrationDevice(new NotedDevice());
    device.set('STOP_COPY');
    expect(device.set('PRE_COPY')).toBe(-EINVAL);
    expect(device.state).toBe('STOP_COPY');
  });

  it('[core:C8.9] ends the transfer when it runs again', () => {
    const ops = new NotedDevice();
    const device = new MigrationDevice(ops);
    const data = file(device, 'STOP_COPY');
    device.set('RUNNING');
    expect(data.read(new Uint8Array(1))).toBe(-ENODEV);
    expect(ops.ended).toBe(1);
  });

  it('[core:C8.10] takes data while it resumes, one way only', () => {
    const data = file(new MigrationDevice(new NotedDevice()), 'RESUMING');
    expect(data.write(new Uint8Array(7))).toBe(7);
    expect(data.read(new Uint8Array(7))).toBe(-EINVAL);
  });

  it('[core:C8.11] leaves ERROR by a reset only', () => {
    const ops = new NotedDevice();
    const device = new MigrationDevice(ops);
    Object.assign(ops, { failing: 'STOP>STOP_COPY', broken: true });
    expect(device.set('STOP_COPY')).toBe(-EIO);
    expect(device.state).toBe('ERROR');
    expect(device.set('RUNNING')).toBe(-EINVAL);
    device.reset();
    expect(device.state).toBe('RUNNING');
    expect(ops.resets).toBe(1);
  });

  it('[core:C8.12] stays in the last state that it reached', () => {
    const ops = new NotedDevice();
    const device = new MigrationDevice(ops);
    ops.failing = 'STOP>STOP_COPY';
    expect(device.set('STOP_COPY')).toBe(-EIO);
    expect(device.state).toBe('STOP');
  });

  it('can be lost outside an arc, and in one', () => {
    const ops = new NotedDevice();
    let control: MigrationControl | undefined;
    const device = new MigrationDevice(
      Object.assign(ops, {
        errorErrno: 'EIO' as const,
        attach: (given: MigrationControl) => {
          control = given;
        },
      }),
    );
    const data = file(device, 'PRE_COPY');
    control!.fail();
    expect([device.state, control!.state, data.read(new Uint8Array(1))]).toEqual([
      'ERROR',
      'ERROR',
      -ENODEV,
    ]);
    expect(device.set('RUNNING')).toBe(-EIO);
    device.reset();
    const arc = ops.arc.bind(ops);
    ops.arc = (from, to) => {
      control!.fail();
      return arc(from, to);
    };
    expect(device.set('RUNNING_P2P')).toBeUndefined();
    expect(device.state).toBe('ERROR');
  });

  it('hears of a reset in the middle of an arc when that is over', () => {
    const ops = new NotedDevice();
    const device = new MigrationDevice(ops);
    const arc = ops.arc.bind(ops);
    ops.arc = (from, to) => {
      device.reset();
      return arc(from, to);
    };
    device.set('STOP');
    expect([device.state, ops.resets]).toEqual(['RUNNING', 1]);
  });

  it('lets mistakes of a driver through that are no errors of a device', () => {
    const ops = new NotedDevice();
    ops.arc = () => {
      throw new TypeError('a bug');
    };
    expect(() => new MigrationDevice(ops).set('STOP')).toThrow(TypeError);
  });
});

describe('a data file', () => {
  it('[core:C8.15] says ENOMSG while the device runs on, and 0 at the end', () => {
    const device = new MigrationDevice(new NotedDevice());
    const data = file(device, 'PRE_COPY');
    expect(data.read(new Uint8Array(4))).toBe(-ENOMSG);
    device.set('STOP_COPY');
    expect(data.read(new Uint8Array(4))).toBe(0);
    expect(data.read(new Uint8Array(4))).toBe(0);
  });

  it('[core:C8.13] tells what is to come only while the device runs on', () => {
    const device = new MigrationDevice(new NotedDevice());
    const data = file(device, 'PRE_COPY');
    const ioctl = (command: number, argument?: Uint8Array) =>
      data.ioctl!(command, argument, undefined as never);
    expect(ioctl(0x3b6b, precopyInfo().bytes)).toBe(-ENOTTY);
    expect(ioctl(PRECOPY_INFO, undefined)).toBe(-EFAULT);
    expect(ioctl(PRECOPY_INFO, precopyInfo(23).bytes)).toBe(-EINVAL);
    expect(ioctl(PRECOPY_INFO, precopyInfo().bytes)).toBe(0);
    device.set('STOP_COPY');
    expect(ioctl(PRECOPY_INFO, precopyInfo().bytes)).toBe(-EINVAL);
  });

  it('[core:C8.14] leaves the flags alone unless the user opted in', () => {
    const ops = new NotedDevice();
    const device = new MigrationDevice(ops);
    const data = file(device, 'PRE_COPY');
    const flags = () => {
      const { bytes, view } = precopyInfo();
      data.ioctl!(PRECOPY_INFO, bytes, undefined as never);
      return view.getUint32(4, true);
    };
    ops.reinit = true;
    expect(flags()).toBe(0xabcd);
    device.precopyInfoV2 = true;
    expect(flags()).toBe(1);
    ops.reinit = false;
    expect(flags()).toBe(0);
  });

  it('can be read or written, by what it is for, once the device is ready', () => {
    const ops = new NotedDevice();
    const saving = file(new MigrationDevice(ops), 'STOP_COPY');
    const resuming = file(new MigrationDevice(ops), 'RESUMING');
    expect(saving.poll()).toEqual({ readable: true, writable: false });
    expect(resuming.poll()).toEqual({ readable: false, writable: true });
    ops.ready = false;
    for (const data of [saving, resuming])
      expect(data.poll()).toEqual({ readable: false, writable: false });
  });

  it('is dead after a reset', () => {
    const device = new MigrationDevice(new NotedDevice());
    const data = file(device, 'STOP_COPY');
    device.reset();
    expect(data.read(new Uint8Array(1))).toBe(-ENODEV);
    expect(data.poll().readable).toBe(true);
  });

  it('[core:C1.35] is over at the last close, and so is the opt-in', () => {
    const device = new MigrationDevice(new NotedDevice());
    device.precopyInfoV2 = true;
    const data = file(device, 'PRE_COPY');
    device.close();
    expect(device.precopyInfoV2).toBe(false);
    expect(data.read(new Uint8Array(1))).toBe(-ENODEV);
  });
});
