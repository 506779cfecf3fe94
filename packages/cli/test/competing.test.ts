import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';

const folder = mkdtempSync(join(tmpdir(), 'vfiokit-competing-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function vfiokit(...argv: readonly string[]) {
  const io = captureIo();
  const status = await run(argv, COMMANDS, io);
  // Lines are broken for the reader; what is asserted are sentences.
  const text = [...io.out, ...io.err].join(' ').replaceAll(/\s+/g, ' ');
  return { status, text };
}

/** A shipped machine on which a native driver has another name, so that nobody knows it. */
function foreign(machine: string, driver: string): string {
  const shipped = new URL(`../../host/machines/${machine}.yaml`, import.meta.url);
  const file = join(folder, `${machine}-without-${driver}.yaml`);
  const text = readFileSync(shipped, 'utf8');
  writeFileSync(file, text.replaceAll(`name: ${driver}, ids`, 'name: other_core, ids'));
  return file;
}

const INDEX = join(folder, 'modules.alias');
writeFileSync(
  INDEX,
  [
    'alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci',
    'alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci',
    'alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* acme_vfio_pci',
    '',
  ].join('\n'),
);
const CONNECTX_VF = '0000:17:00.1';
const PENSANDO_VF = '0000:b1:00.1';
const GRAPHICS_VF = '0000:98:00.1';

describe('two drivers for one id', () => {
  test('are a tie, which is refused with both', async () => {
    const { status, text } = await vfiokit(
      '--machine',
      'x86-server',
      'plan',
      CONNECTX_VF,
      '--aliases',
      INDEX,
    );
    expect(status).toBe(1);
    expect(text).toContain(
      'mlx5_vfio_pci and acme_vfio_pci fit equally well; say which with --driver',
    );
  });

  test('are none when it is said which', async () => {
    const which = ['--aliases', INDEX, '--driver', 'mlx5_vfio_pci'];
    const { status, text } = await vfiokit(
      '--machine',
      'x86-server',
      'plan',
      CONNECTX_VF,
      ...which,
    );
    expect(status).toBe(0);
    expect(text).toContain(`${CONNECTX_VF} → mlx5_vfio_pci`);
  });
});

describe('a driver that accepts a VF and falls back, as its PF is on something else', () => {
  const machine = foreign('x86-server', 'mlx5_core');

  test('is planned with a warning', async () => {
    const { status, text } = await vfiokit('--machine', machine, 'plan', CONNECTX_VF);
    expect(status).toBe(0);
    expect(text).toContain(
      '0000:17:00.0, the PF of 0000:17:00.1, is on other_core; unless it is on mlx5_core, the VF is a plain device under mlx5_vfio_pci, without migration',
    );
  });

  test('is bound, and shows nothing that vfio-pci would not', async () => {
    expect((await vfiokit('--machine', machine, 'bind', CONNECTX_VF)).status).toBe(0);
    const { text } = await vfiokit('--machine', machine, 'inspect', CONNECTX_VF);
    expect(text).toContain('driver mlx5_vfio_pci');
    expect(text).not.toContain('MIGRATION');
  });

  test('is no matter where the PF is on its own driver', async () => {
    const { text } = await vfiokit('--machine', 'x86-server', 'plan', CONNECTX_VF);
    expect(text).not.toContain('the PF of');
  });
});

describe('a driver whose probe fails', () => {
  test.each([
    ['pds_core', PENSANDO_VF, 'pds_vfio_pci', 'EINVAL'],
    ['xe', GRAPHICS_VF, 'xe-vfio-pci', 'ENODEV'],
  ])(
    'as the PF is not on %s, is planned with a warning and leaves all as it was',
    async (native, device, driver, errno) => {
      const machine = foreign('x86-accelerators', native);
      const plan = await vfiokit('--machine', machine, 'plan', device);
      expect(plan.text).toContain(`unless it is on ${native}, ${driver} refuses the VF`);
      const bind = await vfiokit('--machine', machine, 'bind', device);
      expect(bind.status).toBe(1);
      expect(bind.text).toContain('everything is as it was');
      expect(bind.text).toContain(
        `${device}: can't be bound to ${driver}: the driver's own probe refuses (${errno})`,
      );
    },
  );
});
