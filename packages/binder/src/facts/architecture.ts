import { readText, type Sysfs } from '@vfiokit/driver-model';
import { ENOENT } from '@vfiokit/uapi';
import { type Fact, fact } from './attribute-reader.js';

/** What `/proc/cpuinfo` has only on one architecture. */
const CPU_SIGNS: readonly (readonly [RegExp, string])[] = [
  [/^vendor_id\s*:\s*IBM\/S390/m, 's390x'],
  [/^flags\s*:.*\blm\b/m, 'x86_64'],
  [/^cpu\s*:\s*POWER/m, 'ppc64le'],
  [/^CPU implementer/m, 'aarch64'],
  [/^isa\s*:\s*rv64/m, 'riscv64'],
];

/** How distributions end their releases: `7.2.12+deb13-amd64`, `6.9.5-200.fc40.aarch64`. */
const RELEASE_ENDINGS: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  x86_64: 'x86_64',
  arm64: 'aarch64',
  aarch64: 'aarch64',
  ppc64le: 'ppc64le',
  powerpc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/** Folders of the kernel's tree that have one 64-bit architecture only. */
const TREE_FOLDERS: Readonly<Record<string, string>> = {
  arm64: 'aarch64',
  s390: 's390x',
  loongarch: 'loongarch64',
};

/**
 * The machine's architecture, by the first thing that tells it: uname's own word, the processors, the release's ending,
 * the folder that compiled-in modules come from. A capture rarely has the first.
 */
export async function readArchitecture(
  sysfs: Sysfs,
  release: string | undefined,
): Promise<Fact<string>> {
  const uname = '/proc/sys/kernel/arch';
  const arch = await readText(sysfs, uname);
  if (typeof arch === 'string') return fact(arch.trim(), uname);
  const cpus = await readText(sysfs, '/proc/cpuinfo');
  if (typeof cpus === 'string') {
    const sign = CPU_SIGNS.find(([one]) => one.test(cpus));
    if (sign !== undefined) return fact(sign[1], '/proc/cpuinfo');
  }
  const ending = /[-.+](\w+)$/.exec(release ?? '')?.[1] ?? '';
  const named = Object.hasOwn(RELEASE_ENDINGS, ending) ? RELEASE_ENDINGS[ending] : undefined;
  if (named !== undefined) return fact(named, `the kernel release ends in ${ending}`);
  const list = `/lib/modules/${release}/modules.builtin`;
  const builtin = release === undefined ? -ENOENT : await readText(sysfs, list);
  const folder =
    /^kernel\/arch\/(\w+)\//m.exec(typeof builtin === 'string' ? builtin : '')?.[1] ?? '';
  const built = Object.hasOwn(TREE_FOLDERS, folder) ? TREE_FOLDERS[folder] : undefined;
  return built === undefined
    ? { value: undefined, source: uname, errno: -ENOENT }
    : fact(built, `${list} has kernel/arch/${folder}`);
}
