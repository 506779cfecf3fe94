// End to end: an unmodified QEMU boots a guest whose PCI device is served from TypeScript. `npm run e2e`; the transcript goes to
// docs/e2e-transcript.md. Takes a QEMU and a kernel from the distribution into a folder of its own, once; says so and ends
// with status 0 where they can't be had.
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from './guest-root.mjs';
import { boot, finished, migrate, qmp, serve, until } from './qemu.mjs';

const TRANSCRIPT = fileURLToPath(new URL('../../docs/e2e-transcript.md', import.meta.url));
const WORK = join(tmpdir(), `vfiokit-e2e-${process.pid}`);
const BOOT_SECONDS = 240;
const inWork = (name) => join(WORK, name);

const transcript = [];
function say(line) {
  transcript.push(line);
  console.log(line);
}

function sayGuest(guest) {
  const from = guest.log.indexOf('guest:');
  say('\n```text');
  for (const line of guest.log.slice(Math.max(from, 0)).split(/\r?\n/))
    if (line.trim() !== '') say(line);
  if (guest.errors !== '') say(`QEMU: ${guest.errors.trim()}`);
  say('```');
}

const events = (server) =>
  server.log.match(/"kind":"\w+"(,"state":"\w+")?|saved|loaded/g)?.join(', ');

let failed = 0;
function judge(passed, server) {
  if (passed) return;
  failed += 1;
  say(`\nfailed; the server said: ${server.log}${server.errors}`);
}

const passes = ({ log }) => /RESULT PASS/.test(log) && !/FAIL/.test(log);

/** A guest's own vfio-pci drives the device. */
async function drive(release, shared) {
  say(
    `\n## ${shared ? 'Guest memory shared with the device' : 'Guest memory reached by messages'}`,
  );
  const socket = inWork(`device-${shared}.sock`);
  const server = await serve(socket);
  const guest = boot({ release, socket, monitor: inWork('drive.qmp'), shared, iommu: true });
  if (!(await until(() => finished(guest), BOOT_SECONDS))) say(`no end after ${BOOT_SECONDS} s`);
  sayGuest(guest);
  judge(passes(guest), server);
  guest.child.kill();
  await until(() => server.log.includes('detached'), 10);
  say(`\nThe server saw: ${events(server)}`);
  server.child.kill();
}

/** The machine is reset and the guest boots again: each time the device is as new. It has a derived driver. */
async function again(release) {
  say('\n## Resets of the machine, and a reboot, under a derived driver\n\n```text');
  const [socket, monitor] = [inWork('again.sock'), inWork('again.qmp')];
  const server = await serve(socket, 'served-derived-driver');
  const options = { release, socket, monitor, shared: true, iommu: true };
  const guest = boot({ ...options, append: 'again' });
  const reset = () => qmp(monitor, 'system_reset');
  let passed = true;
  let from = 0;
  for (const [what, next] of [
    ['at first', reset],
    ['after a reset of the machine', reset],
    ['after another', () => {}],
    ['after a reboot by the guest', () => {}],
  ]) {
    await until(() => finished(guest, from), BOOT_SECONDS);
    const log = guest.log.slice(from);
    from = guest.log.length;
    say(
      `${passes({ log }) ? 'ok' : 'FAIL'} - ${what}: ${log.match(/^ok - /gm)?.length ?? 0} checks`,
    );
    if (!passes({ log })) say(log);
    passed = passed && passes({ log });
    if (!passed) break;
    await next();
  }
  say('```');
  guest.child.kill();
  await until(() => server.log.includes('detached'), 10);
  judge(passed, { log: server.log, errors: server.errors + guest.errors });
  say(`\nThe server saw: ${events(server)}`);
  server.child.kill();
}

/**
 * A guest moves to another QEMU, whose device another server serves. QEMU moves the guest while it runs; it does not ask for
 * the device's state, which the servers hand over while the guest stands still.
 */
async function move(release) {
  say('\n## Live migration between two QEMU processes');
  const [here, there] = ['source', 'target'].map((name) => ({
    socket: inWork(`${name}.sock`),
    monitor: inWork(`${name}.qmp`),
  }));
  const between = inWork('move.sock');
  const options = { release, shared: true, iommu: false, append: 'move' };
  const source = await serve(here.socket);
  const target = await serve(there.socket);
  const before = boot({ ...options, ...here });
  await until(() => finished(before) || before.log.includes('MOVE ME'), BOOT_SECONDS);
  const after = boot({ ...options, ...there, more: ['-S', '-incoming', `unix:${between}`] });
  await until(() => existsSync(between), 20);
  const moving = await migrate(here.monitor, `unix:${between}`);
  source.child.kill('SIGUSR1');
  await until(() => source.log.includes('saved'), 10);
  copyFileSync(`${here.socket}.state`, `${there.socket}.state`);
  target.child.kill('SIGUSR2');
  await until(() => target.log.includes('loaded'), 10);
  await qmp(there.monitor, 'cont');
  await until(() => finished(after), BOOT_SECONDS);
  say('\nBefore:');
  sayGuest(before);
  say(`\nQEMU: ${moving.status}, vfio: transferred ${moving.vfio?.transferred}. After:`);
  sayGuest(after);
  judge(passes(after) && !/FAIL/.test(before.log), target);
  say(`\nThe first server saw: ${events(source)}`);
  say(`The second server saw: ${events(target)}`);
  for (const { child } of [before, after, source, target]) child.kill();
}

const { version, release } = prepare();
mkdirSync(WORK, { recursive: true });
say('# End to end: a guest and a device written in TypeScript');
say(
  `\nMade by \`npm run e2e\`. ${version}, Linux ${release}, emulation (TCG), Node ${process.version}.`,
);
await drive(release, true);
await drive(release, false);
await again(release);
await move(release);
rmSync(WORK, { recursive: true, force: true });
writeFileSync(TRANSCRIPT, `${transcript.join('\n')}\n`);
console.log(failed === 0 ? 'end to end: passed' : `end to end: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
