import { describe, expect, test } from 'vitest';
import { EFAULT } from '../support/errno.js';
import { ARENA, HOLE, TestHost } from '../support/host.js';

const [READ, WRITE] = [1, 2];
const PAGE = 0x1000;

/** A container of an emulated device alone: mapping pins nothing. */
function ready() {
  const host = new TestHost();
  const device = host.emulated();
  const container = host.ready(3, device);
  container.group(device).getDevice(device.name, host.process);
  return { host, container, pages: device.door!.pages! };
}

describe('pages that a driver pins', () => {
  test('are pinned for what the mapping allows, whatever the driver is about to do', () => {
    const { host, container, pages } = ready();
    host.process.memory.map({ address: HOLE, size: 2 * PAGE, writable: false });
    expect(container.map(0, HOLE, PAGE, { flags: READ | WRITE })).toBe(0);
    expect(container.map(PAGE, HOLE + PAGE, PAGE, { flags: READ })).toBe(0);
    expect(pages.pinPages(0, 1, READ)).toBe(EFAULT);
    expect(pages.pinPages(PAGE, 1, READ)).toHaveLength(1);
  });

  test('are given back up to the first address where nothing is mapped', () => {
    const { host, container, pages } = ready();
    container.map(0, ARENA, PAGE);
    container.map(2 * PAGE, ARENA, PAGE);
    pages.pinPages(0, 1, READ);
    pages.pinPages(2 * PAGE, 1, READ);
    expect(host.process.lockedBytes).toBe(2 * PAGE);
    pages.unpinPages(0, 3);
    expect(host.process.lockedBytes).toBe(PAGE);
    pages.unpinPages(2 * PAGE, 1);
    expect(host.process.lockedBytes).toBe(0);
  });
});
