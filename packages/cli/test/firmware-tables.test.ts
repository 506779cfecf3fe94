import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';

describe('what variants bring to shipped machines', () => {
  it.each([
    ['x86-laptop', '0000:00:02.0', 'INTEL_IGD_OPREGION'],
    ['power9', '0004:04:00.0', 'NVIDIA_NVLINK2_RAM'],
    ['s390x-lpar', '0001:00:00.0', 'capability 1 version 2'],
  ])('%s shows it at %s: %s', async (machine, device, shown) => {
    const io = captureIo();
    expect(await run(['--machine', machine, 'inspect', device], COMMANDS, io)).toBe(0);
    expect(io.out.join('\n')).toContain(shown);
  });
});
