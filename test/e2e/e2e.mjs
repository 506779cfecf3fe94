// End to end: an unmodified QEMU boots a guest whose PCI device is served from TypeScript. `npm run e2e`; the transcript goes to
// docs/e2e-transcript.md. Takes a QEMU and a kernel from the distribution into a folder of its own, once; says so and ends
// with status 0 where they can't be had.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const REPOSITORY = join(HERE, '../..');
const ROOT = process.env.VFIOKIT_E2E_ROOT ?? join(REPOSITORY, '.cache/e2e/root');
const WORK = join(tmpdir(), `vfiokit-e2e-${process.pid}`);
const SUITE = 'trixie';
const BOOT_SECONDS = 240;
const QEMU_NEEDS = [11, 1];

const transcript = [];
function say(line) {
  transcript.push(line);
  console.log(line);
}

/** Ends without a failure: there is nothing here to test with. */
function cannot(reason) {
  console.log(`end to end: not run: ${reason}`);
  process.exit(0);
}

function run(command, args) {
  const { status, stderr } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${String(stderr).slice(-400)}`);
}

/** QEMU and a kernel of a newer suite, in a folder. */
function fetchRoot() {
  if (existsSync(join(ROOT, 'usr/bin/qemu-system-x86_64'))) return;
  if (process.getuid?.() !== 0) cannot('debootstrap needs root');
  if (spawnSync('debootstrap', ['--version']).status !== 0)
    cannot('debootstrap is not installed (apt-get install debootstrap)');
  mkdirSync(ROOT, { recursive: true });
  const mirror = process.env.VFIOKIT_E2E_MIRROR ?? '';
  const inside = (...args) => run('chroot', [ROOT, ...args]);
  try {
    console.log('end to end: fetching QEMU and a kernel, once');
    run('debootstrap', ['--variant=minbase', SUITE, ROOT, ...(mirror === '' ? [] : [mirror])]);
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
  cpSync(join(HERE, 'guest.pl'), join(files, 'guest.pl'));
  run('chroot', [
    ROOT,
    'sh',
    '-c',
    'cd /tmp/initramfs && chmod +x init && find . | cpio -o -H newc > /tmp/initramfs.cpio',
  ]);
}

/** The served device in a process of its own. */
async function serve(path) {
  const program = join(REPOSITORY, 'examples/served-device/dist/run.js');
  const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const server = { child, log: '' };
  child.stdout.on('data', (text) => {
    server.log += text;
  });
  await until(() => server.log.includes('serving'), 20);
  return server;
}

async function until(done, seconds) {
  for (let i = 0; i < seconds * 20; i += 1) {
    if (done()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** Boots a guest with the device; the mode says how the guest's memory is backed. */
function boot({ release, socket, shared, extra = '', name }) {
  const device = { driver: 'vfio-user-pci', id: 'dut', socket: { type: 'unix', path: socket } };
  const backing = shared
    ? [
        '-object',
        'memory-backend-memfd,id=ram,size=512M,share=on',
        '-machine',
        'q35,memory-backend=ram',
      ]
    : ['-machine', 'q35'];
  const inRoot = (path) => join(ROOT, path);
  const args = [
    ...['-L', inRoot('usr/share/qemu'), '-L', inRoot('usr/share/seabios')],
    ...['-accel', 'tcg', '-m', '512M', ...backing],
    ...['-device', 'intel-iommu,caching-mode=on'],
    ...['-kernel', inRoot(`boot/vmlinuz-${release}`), '-initrd', inRoot('tmp/initramfs.cpio')],
    ...['-append', `console=ttyS0 quiet intel_iommu=on ${extra}`],
    ...['-display', 'none', '-nodefaults', '-no-reboot', '-serial', 'stdio'],
    ...['-qmp', `unix:${join(WORK, `${name}.qmp`)},server,nowait`],
    ...['-device', JSON.stringify(device)],
  ];
  const loader = inRoot('usr/lib64/ld-linux-x86-64.so.2');
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map(inRoot).join(':');
  const child = spawn(
    'nice',
    [loader, '--library-path', libraries, inRoot('usr/bin/qemu-system-x86_64'), ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const guest = { child, log: '', errors: '', ended: false };
  child.stdout.on('data', (text) => {
    guest.log += text;
  });
  child.stderr.on('data', (text) => {
    guest.errors += text;
  });
  child.on('exit', () => {
    guest.ended = true;
  });
  return guest;
}

/** Sends commands to a QEMU; the last one's answer. */
function qmp(path, ...commands) {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    const queue = [{ execute: 'qmp_capabilities' }, ...commands];
    socket.on('error', reject);
    socket.on('data', (data) => {
      text += data;
      const lines = text.split('\r\n');
      text = lines.pop();
      for (const line of lines) {
        const message = JSON.parse(line);
        if (message.event !== undefined) continue;
        const next = queue.shift();
        if (next === undefined) {
          socket.end();
          resolve(message);
        } else socket.write(`${JSON.stringify(next)}\n`);
      }
    });
  });
}

let failed = 0;
function report(what, guest, server) {
  say(`\n## ${what}\n\n\`\`\`text`);
  const from = guest.log.indexOf('guest:');
  for (const line of guest.log.slice(Math.max(from, 0)).split(/\r?\n/))
    if (line.trim() !== '') say(line);
  if (guest.errors !== '') say(`QEMU: ${guest.errors.trim()}`);
  say('```');
  if (/RESULT PASS/.test(guest.log) && !/FAIL/.test(guest.log)) return;
  failed += 1;
  say(`failed; the server said: ${server.log}`);
}

fetchRoot();
const version = execFileSync('chroot', [ROOT, 'qemu-system-x86_64', '--version'], {
  encoding: 'utf8',
});
const [, major, minor] = /version (\d+)\.(\d+)/.exec(version).map(Number);
if (major * 100 + minor < QEMU_NEEDS[0] * 100 + QEMU_NEEDS[1])
  cannot(`QEMU is ${major}.${minor}; vfio-user needs ${QEMU_NEEDS.join('.')}`);
const release = readdirSync(join(ROOT, 'boot'))
  .find((name) => name.startsWith('vmlinuz-'))
  .slice(8);
mkdirSync(WORK, { recursive: true });
makeInitramfs(release);
say('# End to end: a guest and a device written in TypeScript');
say(
  `\nMade by \`npm run e2e\`. ${version.split('\n')[0]}, Linux ${release}, emulation (TCG), Node ${process.version}.`,
);

for (const shared of [true, false]) {
  const socket = join(WORK, `device-${shared}.sock`);
  const server = await serve(socket);
  const name = `guest-${shared}`;
  const guest = boot({ release, socket, shared, name, extra: shared ? 'wait' : '' });
  const done = () => guest.ended || (shared && guest.log.includes('READY'));
  if (!(await until(done, BOOT_SECONDS))) say(`no end after ${BOOT_SECONDS} s`);
  report(
    shared ? 'Guest memory shared with the device' : 'Guest memory reached by messages',
    guest,
    server,
  );
  if (shared && !guest.ended) {
    const monitor = join(WORK, `${name}.qmp`);
    const uri = `file:${join(WORK, 'state')}`;
    await qmp(monitor, { execute: 'migrate', arguments: { uri } });
    let migration = {};
    for (let i = 0; i < 60 && !['completed', 'failed'].includes(migration.status); i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      migration = (await qmp(monitor, { execute: 'query-migrate' })).return;
    }
    say('\n## Migration of the guest, as QEMU sees it\n\n```text');
    say(`${migration.status}, vfio: transferred ${migration.vfio?.transferred}`);
    say('```');
  }
  guest.child.kill();
  await until(() => server.log.includes('detached'), 10);
  say(`\nThe server saw: ${server.log.match(/"kind":"\w+"/g)?.join(', ')}`);
  server.child.kill();
}

rmSync(WORK, { recursive: true, force: true });
writeFileSync(join(REPOSITORY, 'docs/e2e-transcript.md'), `${transcript.join('\n')}\n`);
console.log(failed === 0 ? 'end to end: passed' : `end to end: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
