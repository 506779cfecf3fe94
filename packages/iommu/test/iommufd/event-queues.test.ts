import { describe, expect, test } from 'vitest';
import { FaultQueue, type PageRequest } from '../../src/iommufd/fault-queue.js';
import type { VeventQueue } from '../../src/iommufd/viommu.js';
import { EBUSY, EINVAL, ESPIPE } from '../support/errno.js';
import { le } from '../support/host.js';
import { MockHost } from '../support/iommufd.js';

const REQUEST = 40;
const RESPONSE = 8;

const page = (addr: bigint): PageRequest => ({
  flags: 0,
  devId: 1,
  pasid: 0,
  grpid: 7,
  perm: 1,
  reserved: 0,
  addr,
  length: 0,
});

/** The cookies of the requests that were read. */
const cookies = (bytes: Uint8Array) =>
  Array.from({ length: bytes.length / REQUEST }, (_, i) =>
    new DataView(bytes.buffer).getUint32(i * REQUEST + 36, true),
  );

const response = (cookie: number, code: number) => le(RESPONSE, [0, 4, cookie], [4, 4, code]);

/** A queue with two groups: one of two pages, one of a single page. */
function filled() {
  const queue = new FaultQueue();
  const answers: string[] = [];
  queue.report([page(0x1000n), page(0x2000n)], (code) => answers.push(`first ${code}`));
  queue.report([page(0x3000n)], (code) => answers.push(`second ${code}`));
  return { queue, answers };
}

describe('a queue of page faults (eventq.c)', () => {
  test('hands a group of requests out whole, under one cookie from 1 on', () => {
    const { queue } = filled();
    const into = new Uint8Array(2 * REQUEST);
    expect(queue.read(new Uint8Array(REQUEST))).toBe(0);
    expect(queue.read(into)).toBe(2 * REQUEST);
    expect(cookies(into)).toEqual([1, 1]);
  });

  test('reads as many groups as there is room for, each under a cookie of its own', () => {
    const { queue } = filled();
    const into = new Uint8Array(4 * REQUEST);
    expect(queue.read(into)).toBe(3 * REQUEST);
    expect(cookies(into)).toEqual([1, 1, 2, 0]);
    expect(queue.read(into)).toBe(0);
  });

  test('tells a group once, and gives its cookie to the next that is read', () => {
    const { queue, answers } = filled();
    const first = new Uint8Array(2 * REQUEST);
    const second = new Uint8Array(REQUEST);
    queue.read(first);
    expect(queue.write(response(1, 0))).toBe(RESPONSE);
    queue.read(second);
    expect(cookies(second)).toEqual([1]);
    expect(answers).toEqual(['first 0']);
  });

  test('answers a part of a request or of a response with ESPIPE', () => {
    const { queue } = filled();
    expect(queue.read(new Uint8Array(REQUEST + 1))).toBe(ESPIPE);
    expect(queue.write(new Uint8Array(RESPONSE - 1))).toBe(ESPIPE);
  });

  test('stops at the first response that is none, and says how much was taken before it', () => {
    const { queue, answers } = filled();
    queue.read(new Uint8Array(3 * REQUEST));
    expect(queue.write(response(3, 0))).toBe(EINVAL);
    expect(queue.write(response(1, 2))).toBe(EINVAL);
    const both = new Uint8Array([...response(1, 1), ...response(9, 0), ...response(2, 0)]);
    expect(queue.write(both)).toBe(RESPONSE);
    expect(answers).toEqual(['first 1']);
  });

  test('tells everybody "invalid" when it goes, whether read or not', () => {
    const { queue, answers } = filled();
    queue.read(new Uint8Array(2 * REQUEST));
    queue.destroy();
    expect(answers.sort()).toEqual(['first 1', 'second 1']);
  });

  test('cannot be destroyed while its file is open', () => {
    const mock = new MockHost();
    const fault = mock.iommufd.faultQueueAlloc();
    expect(mock.iommufd.destroy(fault.id)).toBe(EBUSY);
    mock.host.process.fds.close(fault.fd);
    expect(mock.iommufd.destroy(fault.id)).toBe(0);
  });
});

describe('a queue of events of a guest’s IOMMU (eventq.c)', () => {
  const open = (depth: number) => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound();
    const parent = mock.iommufd.hwptAlloc(device.id, ioas, { flags: 1 });
    const viommu = mock.iommufd.viommuAlloc(device.id, parent);
    const { fd } = mock.iommufd.veventqAlloc(viommu, depth);
    return mock.host.process.fds.get(fd)! as unknown as VeventQueue;
  };
  /** Flags and sequence number of every header; the events have 4 bytes each. */
  const read = (queue: VeventQueue, room = 64) => {
    const into = new Uint8Array(room);
    const count = queue.read(into);
    const view = new DataView(into.buffer);
    const headers: [number, number][] = [];
    for (let at = 0; at < count; ) {
      const flags = view.getUint32(at, true);
      headers.push([flags, view.getUint32(at + 4, true)]);
      at += flags === 1 ? 8 : 12;
    }
    return headers;
  };

  test('drops the note of lost events when another one comes after them: its number tells', () => {
    const queue = open(1);
    queue.report(new Uint8Array(4));
    queue.report(new Uint8Array(4));
    expect(read(queue, 12)).toEqual([[0, 0]]);
    queue.report(new Uint8Array(4));
    expect(read(queue)).toEqual([[0, 2]]);
    expect(read(queue)).toEqual([]);
  });

  test('keeps an event for which there is no room', () => {
    const queue = open(2);
    queue.report(new Uint8Array(4));
    expect(read(queue, 11)).toEqual([]);
    expect(read(queue, 12)).toEqual([[0, 0]]);
  });

  test('says with the number of the last one that events were lost', () => {
    const queue = open(1);
    for (let i = 0; i < 3; i += 1) queue.report(new Uint8Array(4));
    expect(read(queue)).toEqual([
      [0, 0],
      [1, 2],
    ]);
  });
});
