import { FaultingBuffer } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { ConfigRegion } from '../../src/regions/config-region.js';
import { openConfig, referenceFunction } from '../config/reference-function.js';

const EFAULT = 14;
const CACHE_LINE_SIZE = 0x0c;
/** Nothing of it takes writes, so that nothing is copied from the user. */
const MSIX = 0xb8;

describe('memory of a user that faults', () => {
  const region = new ConfigRegion(openConfig(referenceFunction()).space);

  it('fails reads, and writes to what takes writes', () => {
    expect(region.pread(new FaultingBuffer(4), MSIX)).toBe(-EFAULT);
    expect(region.pwrite(new FaultingBuffer(4), CACHE_LINE_SIZE)).toBe(-EFAULT);
  });

  it('is not looked at for writes that are dropped', () => {
    expect(region.pwrite(new FaultingBuffer(4), MSIX)).toBe(4);
  });

  it('fails writes past the end', () => {
    expect(region.pwrite(new FaultingBuffer(4096), MSIX)).toBe(-EFAULT);
    expect(region.pwrite(new FaultingBuffer(4096 - MSIX), MSIX)).toBe(4096 - MSIX);
  });
});
