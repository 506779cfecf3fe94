import { describe, expect, test } from 'vitest';
import { type Bench, bytes, migrating, type Peer, u32, u64 } from './peer.js';

const EINVAL = 22;
const GET = 0x10000;
const SET = 0x20000;
const START = 6;
const STOP = 7;
const REPORT = 8;

describe('dirty pages', () => {
  const start = (peer: Peer, page: number) =>
    peer.feature(SET | START, bytes(u64(page), u32(1, 0), u64(0, 0x100000))).error;
  const report = (peer: Peer, iova: number, length: number, page: number) =>
    peer.feature(GET | REPORT, u64(iova, length, page), 8 + 24 + 64);
  const bits = (peer: Peer, iova: number, length: number, page = 4096) =>
    report(peer, iova, length, page).view.getBigUint64(32, true).toString(2);

  async function logging(): Promise<{ stage: Bench; peer: Peer }> {
    const stage = await migrating();
    const peer = stage.hello();
    peer.map(0x100000, 0x20000, { fds: [peer.file(new Uint8Array(0x20000))] });
    expect(start(peer, 4096)).toBe(0);
    return { stage, peer };
  }

  test('[vfio-user:146] logging has one page size, a power of two', async () => {
    using stage = await migrating();
    const peer = stage.hello();
    expect(start(peer, 0)).toBe(EINVAL);
    expect(start(peer, 5000)).toBe(EINVAL);
    expect(start(peer, 4096)).toBe(0);
    expect(start(peer, 4096)).toBe(0);
    expect(start(peer, 8192)).toBe(EINVAL);
  });

  test('[vfio-user:147] a report has a bit for each page that was written, and forgets it', async () => {
    const { stage, peer } = await logging();
    stage.memory.write(0x101ffe, new Uint8Array(4));
    stage.memory.read(0x105000, new Uint8Array(4));
    expect(bits(peer, 0x100000, 0x20000)).toBe('110');
    expect(bits(peer, 0x100000, 0x20000)).toBe('0');
    stage[Symbol.dispose]();
  });

  test.each([
    [2048, '111100'],
    [8192, '11'],
    [65536, '1'],
  ])('[vfio-user:147] a report may be in pages of %i', async (page, expected) => {
    const { stage, peer } = await logging();
    stage.memory.write(0x101ffe, new Uint8Array(4));
    expect(bits(peer, 0x100000, 0x20000, page)).toBe(expected);
    stage[Symbol.dispose]();
  });

  test('[vfio-user:147] of memory that is not mapped nothing is known', async () => {
    const { stage, peer } = await logging();
    expect(report(peer, 0x300000, 0x1000, 4096).error).toBe(2);
    expect(report(peer, 0x100000, 0x1000, 3).error).toBe(EINVAL);
    expect(peer.feature(SET | STOP).error).toBe(0);
    expect(report(peer, 0x100000, 0x1000, 4096).error).toBe(EINVAL);
    expect(peer.feature(SET | STOP).error).toBe(EINVAL);
    stage[Symbol.dispose]();
  });

  test('an unmap can bring the bits of what it takes away', async () => {
    const { stage, peer } = await logging();
    stage.memory.write(0x103000, new Uint8Array(4));
    const request = bytes(u32(24 + 16 + 8, 1), u64(0x100000, 0x20000, 4096, 8));
    const { payload, view } = peer.ask(3, request);
    expect(payload.length).toBe(48);
    expect(view.getBigUint64(40, true)).toBe(0b1000n);
    stage[Symbol.dispose]();
  });

  test('the bits of a whole address space are as quickly told as those of what was written', async () => {
    const { stage, peer } = await logging();
    stage.memory.write(0x103000, new Uint8Array(4));
    const request = bytes(u32(24 + 16 + 8, 1), u64(0, 2 ** 63, 2 ** 57, 8));
    expect(peer.ask(3, request).view.getBigUint64(40, true)).toBe(1n);
    stage[Symbol.dispose]();
  });

  test('lent memory counts as written', async () => {
    const { stage, peer } = await logging();
    stage.memory.view(0x102000, 0x1000, 'write');
    stage.memory.view(0x104000, 0x1000, 'read');
    expect(bits(peer, 0x100000, 0x20000)).toBe('100');
    stage[Symbol.dispose]();
  });
});
