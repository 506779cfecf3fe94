import { describe, expect, test, vi } from 'vitest';
import { DeviceClient, EventFd, type MigrationFile, Process, VfioError } from '../src/index.js';
import { hex } from './layout.js';
import { type Answer, get, put, scriptedDevice } from './scripted-device.js';

const GET_INFO = 0x3b6b;
const GET_REGION_INFO = 0x3b6c;
const GET_IRQ_INFO = 0x3b6d;
const SET_IRQS = 0x3b6e;
const RESET = 0x3b6f;
const GET_HOT_RESET_INFO = 0x3b70;
const HOT_RESET = 0x3b71;
const IOEVENTFD = 0x3b74;
const FEATURE = 0x3b75;

function clientOf(answers: Readonly<Record<number, Answer>>, memory?: Uint8Array<ArrayBuffer>) {
  const process = new Process();
  return { process, client: new DeviceClient(scriptedDevice(answers, memory), process) };
}

/** Region 7 at 0x700_0000_0000. */
const regionInfo: Answer = (argument) => {
  put(argument, 4, 3);
  put(argument, 16, 16, 0, 0, 0x700);
  return 0;
};

/** Keeps what it was called with. */
function recorder(result = 0): { answer: Answer; calls: string[] } {
  const calls: string[] = [];
  const answer: Answer = (argument) => {
    calls.push(Buffer.from(argument).toString('hex'));
    return result;
  };
  return { answer, calls };
}

describe('asking for information', () => {
  test('of the device needs one call where there are no capabilities', () => {
    const answer = vi.fn<Answer>((argument) => {
      put(argument, 4, 3, 9, 5);
      return 0;
    });
    const { client } = clientOf({ [GET_INFO]: answer });
    expect(client.info()).toEqual({ flags: 3, numRegions: 9, numIrqs: 5, capabilities: [] });
    expect(answer).toHaveBeenCalledOnce();
  });

  test('asks again with as much room as the capabilities need', () => {
    const rooms: number[] = [];
    const { client } = clientOf({
      [GET_REGION_INFO]: (argument) => {
        rooms.push(argument.length);
        expect(get(argument, 0)).toBe(argument.length);
        expect(get(argument, 8)).toBe(9);
        put(argument, 4, 0xf);
        if (argument.length < 48) put(argument, 0, 48);
        else {
          put(argument, 12, 32);
          argument.set(hex('0200 0100 00000000 86800080 01000000'), 32);
        }
        return 0;
      },
    });
    expect(client.regionInfo(9).type).toEqual({ type: 0x80008086, subtype: 1 });
    expect(rooms).toEqual([32, 48]);
  });

  test('does not ask a third time', () => {
    const answer = vi.fn<Answer>((argument) => {
      put(argument, 0, argument.length + 8);
      return 0;
    });
    const { client } = clientOf({ [GET_INFO]: answer });
    expect(client.info().capabilities).toEqual([]);
    expect(answer).toHaveBeenCalledTimes(2);
  });

  test('of an interrupt index gives its count and flags', () => {
    const { client } = clientOf({
      [GET_IRQ_INFO]: (argument) => {
        expect(Buffer.from(argument).toString('hex')).toBe('10000000000000000200000000000000');
        put(argument, 4, 9, 2, 5);
        return 0;
      },
    });
    expect(client.irqInfo(2)).toEqual({ argsz: 16, flags: 9, index: 2, count: 5 });
  });
});

describe('a failure', () => {
  test('names the device, the call, the errno and what would help', () => {
    const { client } = clientOf({ [GET_REGION_INFO]: () => -22 });
    const failure = () => client.regionInfo(8);
    expect(failure).toThrow(VfioError);
    expect(failure).toThrow(
      '0000:00:02.0: VFIO_DEVICE_GET_REGION_INFO (VGA) failed with EINVAL; there is no such region',
    );
  });

  test('has the code of its errno', () => {
    const { client } = clientOf({ [RESET]: () => -11 });
    expect(() => client.reset()).toThrow(expect.objectContaining({ code: 'EAGAIN', errno: -11 }));
  });

  test('with a number that has no name here is EIO, with the number in the message', () => {
    const { client } = clientOf({ [RESET]: () => -300 });
    expect(() => client.reset()).toThrow(expect.objectContaining({ code: 'EIO' }));
    expect(() => client.reset()).toThrow('errno 300');
  });
});

describe('setting interrupts', () => {
  test('gives each eventfd a descriptor, and nobody -1', () => {
    const { answer, calls } = recorder();
    const { client, process } = clientOf({ [SET_IRQS]: answer });
    const eventfd = new EventFd();
    client.setIrqs({ index: 2, eventfds: [eventfd, undefined, eventfd] });
    expect(process.fds.get(3)).toBe(eventfd);
    expect(calls).toEqual([
      '20000000240000000200000000000000' + '03000000' + '03000000ffffffff03000000',
    ]);
  });

  test('makes an eventfd of a function', () => {
    const sink = vi.fn();
    const { client } = clientOf({
      [SET_IRQS]: (argument, caller) => {
        const eventfd = caller.fds.get(get(argument, 20));
        (eventfd as EventFd).signal();
        return 0;
      },
    });
    client.setIrqs({ index: 1, eventfds: [sink] });
    expect(sink).toHaveBeenCalledOnce();
  });

  test('takes descriptors, truth values or a number', () => {
    const { answer, calls } = recorder();
    const { client } = clientOf({ [SET_IRQS]: answer });
    client.setIrqs({ index: 0, action: 'unmask', eventfds: [100] });
    client.setIrqs({ index: 0, action: 'mask', start: 1, bools: [true, false] });
    client.setIrqs({ index: 4, count: 1 });
    expect(calls).toEqual([
      '1800000014000000000000000000000001000000' + '64000000',
      '160000000a000000000000000100000002000000' + '0100',
      '1400000021000000040000000000000001000000',
    ]);
  });

  test('disables an index with no data and a count of 0', () => {
    const { answer, calls } = recorder();
    clientOf({ [SET_IRQS]: answer }).client.disableIrqs(2);
    expect(calls).toEqual(['1400000021000000020000000000000000000000']);
  });
});

describe('resets', () => {
  test('of the function call VFIO_DEVICE_RESET', () => {
    const { answer, calls } = recorder();
    clientOf({ [RESET]: answer }).client.reset();
    expect(calls).toEqual(['']);
  });

  test('list what a hot reset hits after asking how much that is', () => {
    const { client } = clientOf({
      [GET_HOT_RESET_INFO]: (argument) => {
        if (argument.length === 12) {
          put(argument, 8, 2);
          return -28;
        }
        expect([argument.length, get(argument, 0)]).toEqual([28, 28]);
        put(argument, 8, 2);
        argument.set(hex('04000000 0000 0d 00 05000000 0000 0d 01'), 12);
        return 0;
      },
    });
    expect(client.hotResetInfo()).toEqual({
      flags: 0,
      devices: [
        { id: 4, segment: 0, bus: 13, devfn: 0 },
        { id: 5, segment: 0, bus: 13, devfn: 1 },
      ],
    });
  });

  test('say that there is no hot reset', () => {
    const { client } = clientOf({ [GET_HOT_RESET_INFO]: () => -19 });
    expect(() => client.hotResetInfo()).toThrow(
      'failed with ENODEV; neither its slot nor its bus can be reset',
    );
  });

  test('prove ownership with the groups that are handed over', () => {
    const { answer, calls } = recorder();
    const { client } = clientOf({ [HOT_RESET]: answer });
    client.hotReset([30]);
    client.hotReset();
    expect(calls).toEqual(['1000000000000000010000001e000000', '0c0000000000000000000000']);
  });
});

describe('an ioeventfd', () => {
  test('is placed at the position of its region', () => {
    const { answer, calls } = recorder();
    const { client } = clientOf({ [GET_REGION_INFO]: regionInfo, [IOEVENTFD]: answer });
    const settings = { region: 7, offset: 8, size: 4, data: 0x11223344n } as const;
    client.ioeventfd({ ...settings, eventfd: new EventFd() });
    client.ioeventfd({ ...settings, eventfd: undefined });
    const common = '2000000004000000' + '0800000000070000' + '4433221100000000';
    expect(calls).toEqual([`${common}0300000000000000`, `${common}ffffffff00000000`]);
  });
});

describe('features', () => {
  test('are probed without data', () => {
    const { answer, calls } = recorder();
    const { client } = clientOf({ [FEATURE]: answer });
    expect(client.probeFeature(3, 0x20000)).toBe(true);
    expect(calls).toEqual(['0800000003000600']);
    expect(clientOf({}).client.probeFeature(3, 0x20000)).toBe(false);
  });

  test('are set with their data', () => {
    const { answer, calls } = recorder();
    clientOf({ [FEATURE]: answer }).client.setFeature(0, hex('0102'));
    expect(calls).toEqual(['0a000000000002000102']);
  });

  test('that the device lacks are told by name', () => {
    expect(() => clientOf({}).client.setFeature(3)).toThrow(
      'VFIO_DEVICE_FEATURE (LOW_POWER_ENTRY) failed with ENOTTY; the device does not have this feature',
    );
  });
});

describe('migration', () => {
  const file: MigrationFile = {
    kind: 'migration',
    read: () => 0,
    write: () => 0,
    poll: () => ({ readable: true, writable: false }),
    ioctl: (command, argument) => {
      if (command !== 0x3b79) return -25;
      put(argument as Uint8Array, 8, 100, 0, 7, 0);
      return 0;
    },
    close: () => {},
  };

  test('reads the state by name', () => {
    const { client } = clientOf({
      [FEATURE]: (argument) => {
        expect(Buffer.from(argument).toString('hex')).toBe('1000000002000100' + '0000000000000000');
        put(argument, 8, 5);
        return 0;
      },
    });
    expect(client.migrationState()).toBe('RUNNING_P2P');
  });

  test('sets a state and returns the data file that comes with it', () => {
    const { client } = clientOf({
      [FEATURE]: (argument, caller) => {
        expect(Buffer.from(argument).toString('hex')).toBe('1000000002000200' + '03000000ffffffff');
        put(argument, 12, caller.fds.install(file));
        return 0;
      },
    });
    const returned = client.setMigrationState('STOP_COPY');
    expect(returned).toBe(file);
    expect(client.precopyInfo(returned!)).toMatchObject({ initialBytes: 100n, dirtyBytes: 7n });
  });

  test('sets a state that comes without a file', () => {
    const { client } = clientOf({ [FEATURE]: () => 0 });
    expect(client.setMigrationState('STOP')).toBeUndefined();
  });

  test('says which state could not be reached', () => {
    const { client } = clientOf({ [FEATURE]: () => -22 });
    expect(() => client.setMigrationState('PRE_COPY')).toThrow('(MIG_DEVICE_STATE PRE_COPY)');
  });
});

describe('a dma-buf', () => {
  test('is exported from ranges of a region and returned as a file', () => {
    const calls: string[] = [];
    const { client } = clientOf({
      [FEATURE]: (argument, caller) => {
        calls.push(Buffer.from(argument).toString('hex'));
        return caller.fds.install({ kind: 'dma-buf', close: () => {} });
      },
    });
    const buffer = client.exportDmaBuf(2, [{ offset: 0x1000n, length: 0x2000n }]);
    expect(buffer.kind).toBe('dma-buf');
    expect(calls).toEqual([
      '280000000b000100' + '02000000000000000000000001000000' + '00100000000000000020000000000000',
    ]);
  });
});

describe('access', () => {
  test('reads and writes single values of the configuration space', () => {
    const { client } = clientOf({}, hex('86801234'));
    expect(client.readConfig(0, 1)).toBe(0x86);
    client.writeConfig(2, 1, 0xff);
    expect(client.readConfig(2, 1)).toBe(0xff);
    expect(() => client.readConfig(4, 4)).toThrow(
      'read of 4 bytes at CONFIG+0x4 failed with EFAULT',
    );
    expect(() => client.writeConfig(4, 4, 0)).toThrow('write of 4 bytes at CONFIG+0x4');
  });

  test('reads and writes bytes at the position that the region has, and asks for it once', () => {
    const answer = vi.fn(regionInfo);
    const { client } = clientOf({ [GET_REGION_INFO]: answer }, hex('00010203'));
    expect(client.readRegion(7, 1, 2)).toEqual(hex('0102'));
    expect(client.writeRegion(7, 3, hex('aabb'))).toBe(1);
    expect(client.readRegion(7, 2, 10)).toEqual(hex('02aa'));
    expect(() => client.readRegion(7, 4, 1)).toThrow('CONFIG+0x4 failed with EINVAL');
    expect(answer).toHaveBeenCalledOnce();
  });
});

describe('the descriptors of a client', () => {
  test('are the same for the same file, and closed with the client', () => {
    const { client, process } = clientOf({ [SET_IRQS]: () => 0 });
    const eventfd = new EventFd();
    const hangUp = vi.fn();
    eventfd.attach({ wake: () => {}, hangUp });
    {
      using used = client;
      expect(used.descriptor(eventfd)).toBe(3);
      used.setIrqs({ index: 0, eventfds: [eventfd] });
      expect(used.descriptor(eventfd)).toBe(3);
    }
    expect(process.fds.get(3)).toBeUndefined();
    expect(hangUp).toHaveBeenCalledOnce();
  });

  test('are made anew when the process closed them', () => {
    const { client, process } = clientOf({});
    const eventfd = new EventFd();
    client.descriptor(eventfd);
    process.fds.close(3);
    process.fds.install({ kind: 'other', close: () => {} });
    expect(client.descriptor(eventfd)).toBe(4);
  });
});
