import { readFileSync } from 'node:fs';
import { USAGE_MODELS, type UsageModel } from '@vfiokit/iommu';
import { describeUsageModel } from '@vfiokit/testing';
import { container } from 'tsyringe';
import { describe, expect, test } from 'vitest';
import { main } from '../src/main.js';
import { PER_DEVICE, registerPerDevice } from '../src/per-device.js';

const lines: string[] = [];
main((line) => lines.push(line));

/** What stands in each of the four frames. */
function frames(): readonly (readonly string[])[] {
  const [left, right] = [
    (line: string) => line.slice(0, 49),
    (line: string) => line.slice(51, 100),
  ] as const;
  const starts = lines.flatMap((line, i) => (line.startsWith('┌') ? [i] : []));
  return starts.flatMap((start) => {
    const rows = lines.slice(
      start,
      lines.indexOf(lines.find((l, i) => i > start && l.startsWith('└'))!, start),
    );
    return [left, right].map((half) => rows.map(half));
  });
}

const panels = frames();
/** A frame as one text, so that it does not matter where a line ends. */
const text = (panel: number) =>
  panels[panel - 1]!.map((row) => row.replace(/^│ | │$/g, '').trim())
    .join(' ')
    .replace(/ +/g, ' ');
/** Lines of devices in a frame. */
const sharing = (panel: number) =>
  panels[panel - 1]!.filter((row) => /^│ (gpu|nic|disk)/.test(row)).map((row) =>
    row.replace(/^│ | *│$/g, ''),
  );
const row = (model: string) =>
  lines
    .find((line) => line.startsWith(`  ${model} `))!
    .slice(16)
    .split(/ {2,}/)
    .filter(Boolean);

describe('the picture', () => {
  test('fits a slide of 100 columns', () => {
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.filter((line) => line !== line.trimEnd())).toEqual([]);
  });

  test('is the one in the documentation', () => {
    const page = new URL('../../../docs/iommu-usage-models.md', import.meta.url);
    expect(readFileSync(page, 'utf8')).toContain(`\`\`\`\n${lines.join('\n')}\n\`\`\`\n`);
  });
});

describe('who shares what', () => {
  test('without an IOMMU all devices share one container, which holds all memory', () => {
    expect(sharing(1)).toEqual([
      'gpu+audio ──┐',
      'nic ────────┤',
      'disk ───────┴── all memory ── container 1',
    ]);
    expect(text(1)).toContain('no map on the host reach gpu+audio, nic, disk: 8 MiB locked 8 MiB');
  });

  test('with an IOMMU of its own each device has a container, which holds what the guest maps', () => {
    expect(sharing(2)).toEqual([
      'gpu+audio ───── domain 0 ── container 1',
      'nic ─────────── domain 1 ── container 2',
      'disk ────────── domain 2 ── container 3',
    ]);
    expect(text(2)).toContain(
      '1 map on the host reach gpu+audio: nothing; nic: 64 KiB; disk: nothing',
    );
  });

  test('today each bridge of a PAPR guest has a container, and its groups share that', () => {
    expect(sharing(3)).toEqual([
      'gpu+audio ──┐',
      'nic ────────┴── bridge 0 ── container 1',
      'disk ────────── bridge 1 ── container 2',
    ]);
    expect(text(3)).toContain('reach gpu+audio, nic: 64 KiB; disk: nothing locked 12 MiB');
  });

  test('as first proposed a bridge has one group, and its whole window counts as locked', () => {
    expect(sharing(4)).toHaveLength(3);
    expect(new Set(sharing(4).map((line) => line.split('──').at(-1)))).toHaveProperty('size', 3);
    expect(text(4)).toContain('locked 6144 MiB, then 6148 MiB');
    expect(lines).toContain(
      '  nic: no space takes group 1: EBUSY; put it into an address space of its own',
    );
  });
});

describe('every policy on every mechanism', () => {
  test('is told by spaces, maps and locked memory, or by what is missing', () => {
    expect(row('map-all').join(' ')).toBe('1 0 8 MiB 1 0 8 MiB 3 0 6156 MiB ✗ windows');
    expect(row('nested').join(' ')).toBe('✗ nesting 1 0 8 MiB ✗ nesting ✗ windows');
  });

  test('decides alike on mechanisms that can do the same', () => {
    for (const model of [
      'map-all',
      'per-device',
      'shadow',
      'papr-bridge',
      'named-bridge',
      'explicit',
    ])
      expect(row(model).slice(0, 3)).toEqual(row(model).slice(3, 6));
  });

  test('doubles spaces and maps where a container takes one group', () => {
    expect(row('papr-bridge').join(' ')).toBe('2 16 64 KiB 2 16 64 KiB 3 32 6152 MiB 2 16 12 MiB');
  });
});

describeUsageModel(() => PER_DEVICE);

test('a model of one’s own stands beside the others', () => {
  const host = container.createChildContainer();
  registerPerDevice(host);
  expect(host.resolveAll<UsageModel>(USAGE_MODELS).at(-1)).toBe(PER_DEVICE);
  expect(row('per-device').join(' ')).toBe('3 0 24 MiB 3 0 24 MiB 3 0 6156 MiB ✗ windows');
});
