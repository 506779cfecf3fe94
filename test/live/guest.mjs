// What the live test does inside the guest: drives the packaged CLI on a real kernel and looks at the kernel's own state.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const CLI = '/vfiokit/bin/vfiokit.mjs';
const DEVICES = '/sys/bus/pci/devices';
// Two cards behind a PCIe-to-PCI bridge, which no IOMMU can tell apart: one group, the bridge in it.
const GROUP = ['0000:03:01.0', '0000:03:02.0'];
const ALONE = '0000:01:00.0';

let passed = 0;
let failed = 0;

function check(title, got, wanted) {
  const same = JSON.stringify(got) === JSON.stringify(wanted);
  if (same) passed += 1;
  else failed += 1;
  console.log(
    `${same ? 'ok  ' : 'FAIL'} ${title}${same ? '' : `: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`}`,
  );
}

function vfiokit(args, env = {}, node = []) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...node, CLI, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, signal, stdout, stderr };
}

/** Starts a program; what it has said so far, and how it ends. */
function start(args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { pid: child.pid, text: '', kill: () => child.kill('SIGKILL') };
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      running.text += data;
    });
  running.ended = new Promise((resolve) => {
    child.on('close', resolve);
  });
  return running;
}

/** Waits until something holds; whether it ever did. */
async function until(holds, seconds = 300) {
  for (let tenths = 0; tenths < seconds * 10 && !holds(); tenths += 1)
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  return holds();
}

/** The kernel's own state of a device. */
function state(device) {
  const driver = `${DEVICES}/${device}/driver`;
  const override = readFileSync(`${DEVICES}/${device}/driver_override`, 'utf8').trim();
  return {
    driver: existsSync(driver) ? basename(readlinkSync(driver)) : null,
    override: override === '(null)' ? null : override,
    vfio: existsSync(`${DEVICES}/${device}/vfio-dev`)
      ? readdirSync(`${DEVICES}/${device}/vfio-dev`).length
      : 0,
  };
}

const NATIVE = { driver: 'e1000', override: null, vfio: 0 };
const BOUND = { driver: 'vfio-pci', override: 'vfio-pci', vfio: 1 };
const all = (wanted) => GROUP.map(() => wanted);
const states = () => GROUP.map(state);

console.log(
  `vfiokit live test: Linux ${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}`,
);
check('the guest boots with its devices on their own driver', states(), all(NATIVE));

const plan = vfiokit(['plan', GROUP[0], '--group', '--json']);
const decision = JSON.parse(plan.stdout || '{}');
check(
  'plan decides for the whole group',
  [plan.status, decision.targets?.map(({ device }) => device)],
  [0, GROUP],
);
check('plan tells why', decision.outcome, 'bind');
check('plan writes nothing', states(), all(NATIVE));
const one = vfiokit(['plan', GROUP[0]]);
check(
  'one function of a group alone is refused',
  [one.status, /would not be viable/.test(one.stdout.replace(/\s+/g, ' '))],
  [1, true],
);
if (one.status !== 1) console.log(one.stdout, one.stderr);

const bind = vfiokit(['bind', GROUP[0], '--group']);
check(`bind binds the group (${bind.stderr.trim()})`, [bind.status, states()], [0, all(BOUND)]);
check(
  'the group has its node',
  existsSync(`/dev/vfio/${basename(readlinkSync(`${DEVICES}/${GROUP[0]}/iommu_group`))}`),
  true,
);
check('status lists it', /committed/.test(vfiokit(['status']).stdout), true);
const restore = vfiokit(['restore']);
check(
  `restore gives it back (${restore.stderr.trim()})`,
  [restore.status, states()],
  [0, all(NATIVE)],
);

// pci-stub takes any function and provides no VFIO device: the failure is found after the last bind.
const forced = vfiokit(['bind', GROUP[0], '--group', '--driver', 'pci-stub']);
check('a bind that fails at its end is rolled back', [forced.status, states()], [1, all(NATIVE)]);
check(
  `it tells what was wrong (${forced.stderr.trim()})`,
  /provides no VFIO device/.test(forced.stderr),
  true,
);
check('nothing is left of it', vfiokit(['status']).status, 0);

let at = 1;
for (; at < 100; at += 1) {
  const killed = vfiokit(['bind', GROUP[0], '--group'], { KILL_AT: String(at) }, [
    '--import',
    '/live/kill-at.mjs',
  ]);
  if (killed.signal !== 'SIGKILL') break;
  vfiokit(['restore', '--recover']);
  const after = states();
  const whole = after.every(({ driver }) => driver === 'vfio-pci');
  vfiokit(['restore']);
  check(
    `killed at step ${at}: recovered ${whole ? '(it was done)' : ''}`,
    [whole || JSON.stringify(after) === JSON.stringify(all(NATIVE)), states()],
    [true, all(NATIVE)],
  );
}
check('there were many steps to be killed at', at > 12, true);
vfiokit(['restore']);

const nic = vfiokit(['bind', ALONE]);
check(`a function of its own group (${nic.stderr.trim()})`, [nic.status, state(ALONE)], [0, BOUND]);
const unbind = vfiokit(['unbind', ALONE]);
check(
  `unbind gives it back (${unbind.stderr.trim()})`,
  [unbind.status, state(ALONE)],
  [0, { ...NATIVE, driver: 'e1000e' }],
);

// Somebody has the device open, as a virtual machine monitor has.
const alone = { ...NATIVE, driver: 'e1000e' };
vfiokit(['bind', ALONE]);
const group = basename(readlinkSync(`${DEVICES}/${ALONE}/iommu_group`));
const holder = start(['/live/holder.mjs', group, ALONE]);
await until(() => /\n/.test(holder.text));
check('a process opens the device', holder.text.trim(), 'held');
const named = new RegExp(`is in use by process ${holder.pid} \\(`);
const refused = vfiokit(['unbind', ALONE]);
check(
  `unbind is refused, and names the holder (${refused.stderr.trim()})`,
  [refused.status, named.test(refused.stderr), state(ALONE)],
  [1, true, BOUND],
);
check(
  'so is a plan for another driver',
  vfiokit(['plan', ALONE, '--driver', 'pci-stub']).status,
  1,
);
check('status tells who has it', vfiokit(['status']).stdout.includes(`${holder.pid} (`), true);
const waiting = start([CLI, 'unbind', ALONE, '--wait']);
check(
  'unbind --wait waits, and names the holder',
  await until(() => named.test(waiting.text)),
  true,
);
if (!named.test(waiting.text)) console.log(waiting.text);
// Only the link is looked at: on older kernels reading driver_override waits behind the unbind.
check('meanwhile the device looks unbound', existsSync(`${DEVICES}/${ALONE}/driver`), false);
holder.kill();
check('it ends when the holder does', await waiting.ended, 0);
check('and the device is back on its own driver', state(ALONE), alone);

// Two at once: one waits its turn or is sent away, none gets in the other's way.
const both = [start([CLI, 'bind', ALONE]), start([CLI, 'bind', GROUP[0], '--group'])];
const ends = await Promise.all(both.map(({ ended }) => ended));
check(
  `two binders at once (${both.map(({ text }) => text.trim().split('\n').at(-1)).join('; ')})`,
  [state(ALONE).driver, ...states().map(({ driver }) => driver)],
  [
    ends[0] === 0 ? 'vfio-pci' : 'e1000e',
    ...GROUP.map(() => (ends[1] === 0 ? 'vfio-pci' : 'e1000')),
  ],
);
check('at least one of them did its work', ends.includes(0), true);
vfiokit(['restore']);
check('and everything is given back', [state(ALONE), ...states()], [alone, ...all(NATIVE)]);

const capture = vfiokit(['capture', '/tmp/guest.tar.gz']);
const shown = vfiokit(['--machine', '/tmp/guest.tar.gz', 'show', '--json']);
const names =
  capture.status === 0 ? JSON.parse(shown.stdout).devices.map(({ address }) => address) : [];
check(
  `capture and show agree with the kernel (${capture.stderr.trim()})`,
  names.sort(),
  readdirSync(DEVICES).sort(),
);

console.log(`${passed} passed, ${failed} failed`);
