import { describeMigration } from '@vfiokit/testing';
import { type MigrationFile, VFIO_DEVICE_FEATURE_DMA_LOGGING_START } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { adminMember, encodeParts, VirtioMigration } from '../src/index.js';
import { NOTIFY, VirtioMachine } from './virtio-machine.js';

const EIO = 5;
const ENOMEM = 12;
const ENODEV = 19;
const EINVAL = 22;
const ENOMSG = 42;
const EOPNOTSUPP = 95;
const SET = 0x20000;
const CREATE = 0xa;
const METADATA_GET = 0xe;
const PARTS_GET = 0xf;
const PARTS_SET = 0x10;
const MODE_SET = 0x11;
const PARTS = [
  { type: 1, value: Uint8Array.from({ length: 300 }, (_, i) => i & 0xff) },
  { type: 2, value: Uint8Array.of(9, 8, 7) },
];
const STATE_SIZE = 2 * 16 + 303;

describeMigration(
  'virtio',
  () => {
    const machine = new VirtioMachine();
    const { member } = machine;
    member.parts = [{ type: 1, value: Uint8Array.of(1) }];
    return {
      ops: new VirtioMigration('vf', adminMember(machine.vf)!, machine.clock),
      fill: () => {
        member.parts = [...PARTS];
      },
      snapshot: () => member.parts,
      failAfter: (count) => machine.failAfter(count),
    };
  },
  {
    'refuses a stream that is cut short, or lets it be completed later':
      'records are loaded as they arrive and nothing is asked at the end; the VMM knows whether all of it came',
    'keeps its own state when it refuses a stream':
      'each record is loaded as it arrives, and all parts come twice when the device was saved running',
    'notices every change of a stream': 'parts carry no sums (virtio 1.4 2.12.1.8.1)',
  },
);

function running() {
  const machine = new VirtioMachine({ notify: NOTIFY });
  machine.member.parts = [...PARTS];
  const vf = machine.open();
  return { ...vf, machine };
}

function readAll(file: MigrationFile): Uint8Array {
  const bytes = new Uint8Array(1 << 16);
  let at = 0;
  for (;;) {
    const count = file.read(bytes.subarray(at, at + 100));
    if (count <= 0) return bytes.subarray(0, at);
    at += count;
  }
}

describe('saving a virtio VF', () => {
  it('[derived:168] is records of tag 0 and nothing in front of them', () => {
    using vf = running();
    const data = readAll(vf.client.setMigrationState('STOP_COPY')!);
    const view = new DataView(data.buffer, data.byteOffset);
    expect([view.getBigUint64(0, true), view.getUint32(8, true), view.getUint32(12, true)]).toEqual(
      [BigInt(STATE_SIZE), 0, 0],
    );
    expect(data.subarray(16)).toEqual(encodeParts(PARTS));
    expect(data.length).toBe(16 + STATE_SIZE);
  });

  it('stops the VF before it is saved and lets it run afterwards', () => {
    using vf = running();
    vf.client.setMigrationState('STOP_COPY');
    expect(vf.machine.member.stopped).toBe(true);
    vf.client.setMigrationState('RUNNING');
    expect(vf.machine.member.stopped).toBe(false);
    expect(vf.machine.member.objects.size).toBe(0);
  });

  it('[derived:167] fails for a device without parts', () => {
    using vf = running();
    vf.machine.member.parts = [];
    expect(() => vf.client.setMigrationState('STOP_COPY')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(vf.client.migrationState()).toBe('STOP');
    expect(vf.machine.member.objects.size).toBe(0);
  });

  it('tells everything first as initial bytes, then all of it again once a second', () => {
    using vf = running();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    expect(vf.client.precopyInfo(file).initialBytes).toBe(BigInt(16 + STATE_SIZE));
    expect(file.read(new Uint8Array(100))).toBe(100);
    expect(vf.client.precopyInfo(file).initialBytes).toBe(BigInt(16 + STATE_SIZE - 100));
    readAll(file);
    expect(file.read(new Uint8Array(10))).toBe(-ENOMSG);
    vf.machine.clock.advance(1000);
    expect(vf.client.precopyInfo(file)).toMatchObject({
      initialBytes: 0n,
      dirtyBytes: BigInt(STATE_SIZE),
    });
    expect(readAll(file)).toHaveLength(16 + STATE_SIZE);
  });

  it('[derived:169] is not asked for its size more than once a second', () => {
    using vf = running();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    const asked = () => vf.machine.pf.log.filter(([opcode]) => opcode === METADATA_GET).length;
    vf.client.precopyInfo(file);
    const before = asked();
    vf.machine.clock.advance(999);
    vf.client.precopyInfo(file);
    expect(asked()).toBe(before);
    vf.machine.clock.advance(1);
    vf.client.precopyInfo(file);
    expect(asked()).toBe(before + 1);
  });

  it('ends with all parts once more', () => {
    using vf = running();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    vf.machine.member.parts = [PARTS[1]!];
    expect(vf.client.setMigrationState('STOP_COPY')).toBeUndefined();
    expect(readAll(file)).toHaveLength(16 + STATE_SIZE + 16 + 19);
    expect(file.read(new Uint8Array(1))).toBe(0);
  });

  it('has failed once the last parts could not be read', () => {
    using vf = running();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    vf.machine.pf.failing.set(PARTS_GET, EIO);
    expect(() => vf.client.setMigrationState('STOP_COPY')).toThrow(
      expect.objectContaining({ code: 'EIO' }),
    );
    expect(vf.client.migrationState()).toBe('PRE_COPY_P2P');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
    vf.machine.pf.failing.clear();
    expect(() => vf.client.setMigrationState('STOP_COPY')).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    vf.client.setMigrationState('RUNNING');
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('does not mind if parts can not be read anew while it runs', () => {
    using vf = running();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    readAll(file);
    vf.machine.clock.advance(1000);
    vf.machine.pf.failing.set(PARTS_GET, EIO);
    expect(() => vf.client.precopyInfo(file)).toThrow(expect.objectContaining({ code: 'EIO' }));
    vf.machine.pf.failing.clear();
    vf.client.setMigrationState('STOP_COPY');
    expect(readAll(file)).toHaveLength(16 + STATE_SIZE);
  });

  it('is running again after a reset, with its file dead', () => {
    using vf = running();
    const file = vf.client.setMigrationState('STOP_COPY')!;
    vf.client.reset();
    expect(vf.client.migrationState()).toBe('RUNNING');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
    expect(vf.machine.member.objects.size).toBe(0);
  });

  it('stays where it got when a command fails', () => {
    using vf = running();
    vf.machine.pf.failing.set(MODE_SET, EIO);
    expect(() => vf.client.setMigrationState('STOP')).toThrow(
      expect.objectContaining({ code: 'EIO' }),
    );
    expect(vf.client.migrationState()).toBe('RUNNING');
    vf.machine.pf.failing.clear();
    vf.machine.pf.failing.set(CREATE, ENOMEM);
    expect(() => vf.client.setMigrationState('RESUMING')).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }),
    );
    expect(vf.client.migrationState()).toBe('STOP');
  });

  it('[derived:170] logs no dirty pages', () => {
    using vf = running();
    expect(vf.client.probeFeature(VFIO_DEVICE_FEATURE_DMA_LOGGING_START, SET)).toBe(false);
  });
});

describe('loading a virtio VF', () => {
  const record = (tag: number, payload: Uint8Array, flags = 0) => {
    const bytes = new Uint8Array(16 + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, payload.length, true);
    view.setUint32(8, flags, true);
    view.setUint32(12, tag, true);
    bytes.set(payload, 16);
    return bytes;
  };

  it('takes parts of more than its first buffer', () => {
    using vf = running();
    const parts = [{ type: 3, value: new Uint8Array(3 << 20).fill(5) }];
    const file = vf.client.setMigrationState('RESUMING')!;
    const stream = record(0, encodeParts(parts));
    expect(file.write(stream.subarray(0, 1000))).toBe(1000);
    expect(file.write(stream.subarray(1000))).toBe(stream.length - 1000);
    expect(Buffer.compare(vf.machine.member.parts[0]!.value, parts[0]!.value)).toBe(0);
  });

  it('refuses records that it does not know, unless they are optional', () => {
    using vf = running();
    const file = vf.client.setMigrationState('RESUMING')!;
    expect(file.write(record(5, Uint8Array.of(1), 1))).toBe(17);
    expect(file.write(record(5, Uint8Array.of(1)))).toBe(-EOPNOTSUPP);
    expect(file.write(record(0, encodeParts(PARTS)))).toBe(-ENODEV);
  });

  it('has no room for 4 GiB', () => {
    using vf = running();
    const file = vf.client.setMigrationState('RESUMING')!;
    const header = new Uint8Array(16);
    header[4] = 1;
    expect(file.write(header)).toBe(-ENOMEM);
  });

  it('keeps its state when parts are tampered with', () => {
    using vf = running();
    const file = vf.client.setMigrationState('RESUMING')!;
    const tampered = encodeParts([{ type: 1, value: Uint8Array.of(1) }]);
    tampered[12] = 200;
    expect(file.write(record(0, tampered))).toBe(-EINVAL);
    expect(vf.machine.member.parts).toEqual(PARTS);
    expect(vf.machine.pf.log.at(-1)).toEqual([PARTS_SET, 1]);
  });
});
