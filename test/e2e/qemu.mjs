// A served device and a QEMU that takes it, each in a process of its own.
import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';
import { inRoot } from './guest-root.mjs';

const programOf = (example) =>
  fileURLToPath(new URL(`../../examples/${example}/dist/run.js`, import.meta.url));

const STDIO = { stdio: ['ignore', 'pipe', 'pipe'] };

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function until(done, seconds) {
  for (let i = 0; i < seconds * 20; i += 1) {
    if (done()) return true;
    await pause(50);
  }
  return false;
}

/** A process, and what it has said. */
function watch(child) {
  const process = { child, log: '', errors: '', ended: false };
  child.stdout.on('data', (text) => {
    process.log += text;
  });
  child.stderr.on('data', (text) => {
    process.errors += text;
  });
  child.on('exit', () => {
    process.ended = true;
  });
  return process;
}

/** Serves an example's device at a path. */
export async function serve(path, example = 'served-device') {
  const server = watch(spawn(process.execPath, [programOf(example), path], STDIO));
  await until(() => server.log.includes('serving'), 20);
  return server;
}

/**
 * Boots a guest with the device.
 *
 * @param shared the device reaches the guest's memory itself; otherwise by messages.
 * @param iommu the guest has an emulated IOMMU.
 */
export function boot({ release, socket, monitor, shared, iommu, append = '', more = [] }) {
  const device = { driver: 'vfio-user-pci', id: 'dut', socket: { type: 'unix', path: socket } };
  const backing = shared
    ? [
        ...['-object', 'memory-backend-memfd,id=ram,size=512M,share=on'],
        ...['-machine', 'q35,memory-backend=ram'],
      ]
    : ['-machine', 'q35'];
  const args = [
    ...['-L', inRoot('usr/share/qemu'), '-L', inRoot('usr/share/seabios')],
    ...['-accel', 'tcg', '-m', '512M', ...backing],
    ...(iommu ? ['-device', 'intel-iommu,caching-mode=on'] : []),
    ...['-kernel', inRoot(`boot/vmlinuz-${release}`), '-initrd', inRoot('tmp/initramfs.cpio')],
    // On a busy machine an emulated timer is late, which is no reason to panic.
    ...['-append', `console=ttyS0 quiet no_timer_check ${iommu ? 'intel_iommu=on' : ''} ${append}`],
    ...['-display', 'none', '-nodefaults', '-serial', 'stdio'],
    ...['-qmp', `unix:${monitor},server,nowait`],
    ...['-device', JSON.stringify(device), ...more],
  ];
  const loader = inRoot('usr/lib64/ld-linux-x86-64.so.2');
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map(inRoot).join(':');
  const program = [loader, '--library-path', libraries, inRoot('usr/bin/qemu-system-x86_64')];
  return watch(spawn(program[0], [...program.slice(1), ...args], STDIO));
}

/** Whether a guest has come to an end of what it does, as far as it was read before. */
export const finished = (guest, from = 0) =>
  guest.ended || /RESULT|Kernel panic/.test(guest.log.slice(from));

/** Sends a command to a QEMU; what it returns. */
export function qmp(path, execute, args = {}) {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    const queue = [{ execute: 'qmp_capabilities' }, { execute, arguments: args }];
    socket.on('error', reject);
    socket.on('data', (data) => {
      text += data;
      const lines = text.split('\r\n');
      text = lines.pop();
      for (const line of lines) {
        const message = JSON.parse(line);
        if (message.event !== undefined) continue;
        const next = queue.shift();
        if (next !== undefined) {
          socket.write(`${JSON.stringify(next)}\n`);
          continue;
        }
        socket.end();
        if (message.error === undefined) resolve(message.return);
        else reject(new Error(`${execute}: ${message.error.desc}`));
      }
    });
  });
}

/** Moves a guest to a QEMU that waits for it at `uri`; how it ended. */
export async function migrate(monitor, uri) {
  await qmp(monitor, 'migrate', { uri });
  for (let i = 0; i < 240; i += 1) {
    const migration = await qmp(monitor, 'query-migrate');
    if (['completed', 'failed'].includes(migration.status)) return migration;
    await pause(250);
  }
  return { status: 'unending' };
}
