import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { COMMANDS, VARIANTS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';
import { machineOptions } from '../src/variants.js';

const folder = mkdtempSync(join(tmpdir(), 'vfiokit-firmware-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `show` says of a machine with this table of firmware. */
async function show(firmware: string) {
  const file = join(folder, 'machine.yaml');
  writeFileSync(
    file,
    `name: one\narchitecture: s390x\nkernel: 7.2.12\nfunctions:\n  - { at: "0000:00:00.0", ids: "1234:0001", class: "020000" }\nfirmware: { ${firmware} }\n`,
  );
  const io = captureIo();
  const status = await run(['--machine', file, 'show'], COMMANDS, io);
  return { status, err: io.err.join(' ') };
}

describe("a machine's tables of firmware", () => {
  it.each([
    [
      'zpci',
      'zpci: { "0000:00:00.0": { fid: 16 } }',
      'one: firmware.zpci.0000:00:00.0.uid: must be a whole number, 0 or more; it is missing',
    ],
    ['igd', 'opregion: { vtb: true }', 'one: firmware.opregion: does not know "vtb"; it has vbt'],
    [
      'nvlink',
      'nvlink: { "0000:09:00.0": {} }',
      'one: firmware.nvlink: there is no function 0000:09:00.0 in the machine',
    ],
    [
      'nvgrace-gpu',
      'graceMemory: { "0000:00:00.0": { base: 5, size: 1G } }',
      'one: firmware.graceMemory.0000:00:00.0.base: must be an address',
    ],
    [
      'igd',
      'opregoin: { vbt: true }',
      'one: firmware.opregoin: nobody reads it; did you mean opregion?',
    ],
  ])('are checked by the package that reads them: %s, %s', async (variant, firmware, message) => {
    if (!(variant in VARIANTS)) return;
    const { status, err } = await show(firmware);
    expect(status).toBe(1);
    expect(err).toContain(message);
  });

  it('may be for somebody else', async () => {
    expect(await show('acme: { anything: [1, 2] }')).toEqual({ status: 0, err: '' });
  });

  it('are nothing to a package that is not composed', async () => {
    const { register } = await machineOptions([], {});
    const machine = { name: 'one', firmware: { zpci: 'nonsense' } } as never;
    expect(() => register!(undefined as never, machine)).not.toThrow();
  });
});
