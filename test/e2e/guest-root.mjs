// QEMU, a kernel and a root file system, from the distribution.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SUITE = 'trixie';
const QEMU_NEEDS = [11, 1];
/** How long the packages may take to come, which is a minute where they are near. */
const FETCH_SECONDS = 180;

export const ROOT = process.env.VFIOKIT_E2E_ROOT ?? join(HERE, '../../.cache/e2e/root');
export const inRoot = (path) => join(ROOT, path);

/** Ends without a failure: there is nothing here to test with. */
function cannot(reason) {
  console.log(`end to end: not run: ${reason}`);
  process.exit(0);
}

/** @param milliseconds after which it is given up. */
function run(command, args, milliseconds) {
  const stdio = ['ignore', 'ignore', 'pipe'];
  const { status, signal, stderr } = spawnSync(command, args, { stdio, timeout: milliseconds });
  if (status === 0) return;
  const why = signal === null ? String(stderr).slice(-400) : 'took too long';
  throw new Error(`${command} ${args.join(' ')}: ${why}`);
}

/** Makes everything ready: what QEMU calls itself, and the kernel's release. */
export function prepare() {
  fetchRoot();
  const version = execFileSync('chroot', [ROOT, 'qemu-system-x86_64', '--version'], {
    encoding: 'utf8',
  });
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(version).map(Number);
  if (major * 100 + minor < QEMU_NEEDS[0] * 100 + QEMU_NEEDS[1])
    cannot(`QEMU is ${major}.${minor}; vfio-user needs ${QEMU_NEEDS.join('.')}`);
  const release = readdirSync(inRoot('boot'))
    .find((name) => name.startsWith('vmlinuz-'))
    .slice(8);
  makeInitramfs(release);
  return { version: version.split('\n')[0], release };
}

/** QEMU and a kernel of a newer suite, in a folder. */
function fetchRoot() {
  if (existsSync(join(ROOT, 'usr/bin/qemu-system-x86_64'))) return;
  if (process.getuid?.() !== 0) cannot('debootstrap needs root');
  if (spawnSync('debootstrap', ['--version']).status !== 0)
    cannot('debootstrap is not installed (apt-get install debootstrap)');
  mkdirSync(ROOT, { recursive: true });
  const mirror = process.env.VFIOKIT_E2E_MIRROR ?? '';
  const end = Date.now() + 1000 * FETCH_SECONDS;
  const within = (command, args) => run(command, args, Math.max(end - Date.now(), 1));
  const inside = (...args) => within('chroot', [ROOT, ...args]);
  try {
    console.log('end to end: fetching QEMU and a kernel, once');
    within('debootstrap', ['--variant=minbase', SUITE, ROOT, ...(mirror === '' ? [] : [mirror])]);
    inside(
      'sh',
      '-c',
      `sed 's/ ${SUITE} / ${SUITE}-backports /' /etc/apt/sources.list > /etc/apt/sources.list.d/backports.list`,
    );
    inside('apt-get', 'update');
    inside(
      'apt-get',
      'install',
      '-y',
      '--no-install-recommends',
      'busybox-static',
      'pciutils',
      'cpio',
    );
    const newer = ['-t', `${SUITE}-backports`, 'linux-image-amd64', 'qemu-system-x86'];
    inside('apt-get', 'install', '-y', '--no-install-recommends', ...newer);
  } catch (error) {
    rmSync(ROOT, { recursive: true, force: true });
    cannot(`the packages can't be had: ${error.message}`);
  }
}

/** A root file system with a shell, lspci, perl and the modules of vfio. */
function makeInitramfs(release) {
  const files = join(ROOT, 'tmp/initramfs');
  rmSync(files, { recursive: true, force: true });
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'lib/modules'])
    mkdirSync(join(files, folder), { recursive: true });
  const copy = (from, to = from) => {
    mkdirSync(join(files, to, '..'), { recursive: true });
    cpSync(join(ROOT, from), join(files, to), { dereference: true });
  };
  copy('usr/bin/busybox', 'bin/busybox');
  for (const program of ['usr/bin/lspci', 'usr/bin/perl', 'usr/bin/kmod']) {
    copy(program, `bin/${program.split('/').at(-1)}`);
    const needed = execFileSync('chroot', [ROOT, 'ldd', `/${program}`], { encoding: 'utf8' });
    for (const [library] of needed.matchAll(/\/lib\S+/g)) copy(library);
  }
  copy('usr/share/misc/pci.ids');
  copy('usr/bin/kmod', 'bin/insmod');
  const perl = 'usr/lib/x86_64-linux-gnu/perl-base';
  cpSync(join(ROOT, perl), join(files, perl), { recursive: true });
  for (const name of ['irqbypass', 'vfio', 'vfio_iommu_type1', 'vfio-pci-core', 'vfio-pci']) {
    const modules = join('usr/lib/modules', release, 'kernel');
    const found = readdirSync(join(ROOT, modules), { recursive: true }).find(
      (path) => path.split('/').at(-1) === `${name}.ko.xz`,
    );
    if (found !== undefined) copy(join(modules, found), `lib/modules/${name}.ko.xz`);
  }
  cpSync(join(HERE, 'init'), join(files, 'init'));
  for (const script of ['guest.pl', 'move.pl']) cpSync(join(HERE, script), join(files, script));
  run('chroot', [
    ROOT,
    'sh',
    '-c',
    'cd /tmp/initramfs && chmod +x init && find . | cpio -o -H newc > /tmp/initramfs.cpio',
  ]);
}
