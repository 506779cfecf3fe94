import 'reflect-metadata';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  type AliasEntry,
  globMatches,
  ModuleIndex,
  normalizeAlias,
  parseModalias,
  strictMatch,
} from '@vfiokit/binder';
import { writeBinaryIndex } from './write-index.js';

const FUNCTIONS = 10_000;
/** How many functions the slow way is measured on. */
const SAMPLE = 20;

/** The index of a real kernel if it is there, else one of its size that is made up. */
function indexText(): { text: string; from: string } {
  const file = new URL(
    '../../../../../shared/hosts/modules.alias-7.2.12-amd64.gz',
    import.meta.url,
  );
  if (existsSync(file))
    return { text: gunzipSync(readFileSync(file)).toString(), from: 'a real kernel' };
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
  const lines = Array.from(
    { length: 28_074 },
    (_, at) => `alias pci:v${hex(0x8086 + (at % 40))}d${hex(at)}sv*sd*bc*sc*i* m${at % 3000}`,
  );
  return {
    text: `#\n${lines.join('\n')}\nalias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n`,
    from: 'made up',
  };
}

function modalias(at: number): string {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
  const vendors = [0x8086, 0x15b3, 0x10de, 0x1af4, 0x144d];
  return `pci:v${hex(vendors[at % 5]!)}d${hex(0x1000 + (at % 4096))}sv${hex(0x1028)}sd${hex(at)}bc02sc00i00`;
}

function milliseconds(act: () => void): number {
  const start = process.hrtime.bigint();
  act();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Finding drivers for ten thousand functions: the index filed by prefix, beside trying every pattern, beside kmod. */
export function bench(report: (line: string) => void): void {
  const { text, from } = indexText();
  const devices = Array.from({ length: FUNCTIONS }, (_, at) => modalias(at));
  let native = 0;
  let index = ModuleIndex.fromText(text, from);
  const filed = milliseconds(() => {
    index = ModuleIndex.fromText(text, from);
    for (const device of devices) {
      if (parseModalias(device) === undefined) throw new Error(device);
      strictMatch(index, device);
      native += index.lookUp(device).modules.length;
    }
  });
  const patterns = index.aliases.entries.map(({ pattern }) => normalizeAlias(pattern) ?? '');
  let globbed = 0;
  const sample = milliseconds(() => {
    for (const device of devices.slice(0, SAMPLE))
      for (const key of [device, device.replace('pci:', 'vfio_pci:')])
        for (const pattern of patterns) if (globMatches(pattern, key)) globbed += 1;
  });
  const scanned = (sample / SAMPLE) * FUNCTIONS;
  report(
    `select drivers for ${FUNCTIONS} functions against ${patterns.length} aliases (${from}): ${Math.round(scanned / filed)}x as fast as trying every pattern ` +
      `(${filed.toFixed(0)} ms with reading the index; ${(scanned / 1000).toFixed(1)} s from ${SAMPLE}; ${native} native drivers, ${globbed} matches)`,
  );
  reportKmod(report, index.aliases.entries, devices, filed);
}

/** `modprobe -R` over an index of the same aliases, where kmod is installed. */
function reportKmod(
  report: (line: string) => void,
  entries: readonly AliasEntry[],
  devices: readonly string[],
  filed: number,
): void {
  const root = mkdtempSync(join(tmpdir(), 'vfiokit-bench-'));
  try {
    const folder = join(root, 'lib/modules/bench');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'modules.alias.bin'), writeBinaryIndex(entries));
    for (const name of ['dep', 'symbols', 'builtin', 'builtin.alias'])
      writeFileSync(join(folder, `modules.${name}.bin`), writeBinaryIndex([]));
    for (const name of ['modules.dep', 'modules.builtin', 'modules.order', 'modules.softdep'])
      writeFileSync(join(folder, name), '');
    const some = devices.slice(0, 500);
    let installed = true;
    const took = milliseconds(() => {
      // Its status is 1 as soon as one of them has no module; it has looked them all up nevertheless.
      const { error } = spawnSync('modprobe', ['-d', root, '-S', 'bench', '-R', '-a', ...some]);
      installed = error === undefined;
    });
    const all = (took / some.length) * devices.length;
    report(
      installed
        ? `  modprobe -R -a on the same aliases: ${(all / filed).toFixed(1)}x our time, which includes reading the text (${took.toFixed(0)} ms for ${some.length})`
        : '  modprobe -R: kmod is not installed here',
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}
