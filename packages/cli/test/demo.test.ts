import { COMMANDS, captureIo, run } from 'vfiokit';
import { describe, expect, test } from 'vitest';
import { Killed, Killer } from '../src/demo/killer.js';
import { differences } from '../src/demo/stage.js';

describe('vfiokit demo', () => {
  test('tells the main job on at most 90 lines of 100 columns, and all of it goes as it should', async () => {
    const io = captureIo();
    const status = await run(['demo'], COMMANDS, io);
    expect(io.out.length).toBeLessThanOrEqual(90);
    expect(Math.max(...io.out.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(status).toBe(0);
    const text = io.out.join('\n');
    for (const sentence of [
      '180 of 180 facts are as recorded',
      'P4 alias-best-match  vfio-pci  mlx5_vfio_pci',
      '0000:00:02.1 is bound to "snd_hda_intel"',
      'committed: 0000:00:02.0 → vfio-pci (vfio3), 0000:00:02.1 → vfio-pci (vfio4)',
      'in use by process 4200 (qemu-system-x86, guest desktop)',
      'asked the guest for its device 3 times',
      'files and links that binding touches read as they did at the start',
      '17,411 of 17,411 match (100 %)',
    ])
      expect(text).toContain(sentence);
    const [, steps, recovered] = /each of its (\d+) steps .* recovered (\d+) times/.exec(text)!;
    expect([Number(steps) > 15, recovered]).toEqual([true, steps]);
  });

  test('is one document with --json', async () => {
    const io = captureIo();
    expect(await run(['demo', '--json'], COMMANDS, io)).toBe(0);
    expect(JSON.parse(io.out.join('\n'))).toMatchObject({
      good: true,
      machine: { name: 'vm-q35-sriov-vfio', functions: 20, compared: 180, same: 180 },
      bind: { state: 'committed', devices: [{ before: 'bochs-drm' }, { before: 'snd_hda_intel' }] },
      refusal: { state: 'in-use', written: 0, requests: 3 },
      restore: { state: 'released', different: [] },
      variant: { driver: 'mlx5_vfio_pci', state: 'RUNNING' },
      conformance: { differing: 0 },
    });
  });
});

test('a file that reads otherwise, is new, or has gone is a difference', () => {
  const before = new Map([
    ['/a', '1'],
    ['/b', '2'],
    ['/c', '3'],
  ]);
  const after = new Map([
    ['/a', '1'],
    ['/b', 'x'],
    ['/d', '4'],
  ]);
  expect(differences(before, after)).toEqual(['/b', '/c', '/d']);
});

test('a binder that is killed at a step has made it, and does nothing after that', async () => {
  const done: string[] = [];
  const killer = new Killer(2);
  const sysfs = killer.sysfs({
    kind: 'model',
    read: async () => 0,
    list: async () => 0,
    readLink: async () => 0,
    write: async (path) => done.push(path),
  });
  await sysfs.write('/first', '');
  await expect(sysfs.write('/second', '')).rejects.toBeInstanceOf(Killed);
  await expect(sysfs.read('/first')).rejects.toBeInstanceOf(Killed);
  await expect(sysfs.write('/third', '')).rejects.toBeInstanceOf(Killed);
  expect(done).toEqual(['/first', '/second']);
});
