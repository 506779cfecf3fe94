import 'reflect-metadata';
import { ApMachine, type ApMatrix, queuesOf, type VfioApInstance } from '@vfiokit/ap';

const MDEVS = 100;
const MATRIX = '/sys/devices/vfio_ap/matrix';
const APMASK = '/sys/bus/ap/apmask';

/** The median of several times, in milliseconds. */
function median(times: number, action: (n: number) => void): number {
  const taken = Array.from({ length: times }, (_, n) => {
    const start = process.hrtime.bigint();
    action(n);
    return Number(process.hrtime.bigint() - start) / 1e6;
  });
  return taken.sort((a, b) => a - b)[times >> 1]!;
}

function line(what: string, milliseconds: number, target: number, compared: string): string {
  const verdict = milliseconds < target ? 'within' : 'ABOVE';
  return `${what.padEnd(46)} ${milliseconds.toFixed(3).padStart(9)} ms   [${verdict} ${target} ms; ${compared}]`;
}

function ratio(slow: number, fast: number): string {
  return `${(slow / fast).toFixed(1)}x`;
}

/** A partition with 256 adapters and 256 domains, of which adapters 0 to 127 are for a hundred mediated devices. */
function largeMachine(): { machine: ApMachine; mdevs: readonly VfioApInstance[] } {
  const all = Array.from({ length: 256 }, (_, n) => n);
  const machine = new ApMachine({ hardware: { adapters: all, domains: all, controlDomains: all } });
  const vfioAp = machine.loadVfioAp();
  machine.shell.echo('-0-127', APMASK);
  const mdevs = all.slice(0, MDEVS).map((n) => {
    const uuid = `00000000-0000-0000-0000-${n.toString(16).padStart(12, '0')}`;
    const instance = vfioAp.create(uuid);
    machine.shell.echo(`${n}`, `${MATRIX}/${uuid}/assign_adapter`);
    for (const domain of [1, 2, 3])
      machine.shell.echo(`${domain}`, `${MATRIX}/${uuid}/assign_domain`);
    return instance;
  });
  return { machine, mdevs };
}

/** Whether two products share a queue, found out queue by queue. */
function shareByQueues(a: ApMatrix, b: ApMatrix): boolean {
  const queues = new Set(queuesOf(a));
  for (const apqn of queuesOf(b)) if (queues.has(apqn)) return true;
  return false;
}

/** What an administrator waits for on 65,536 queues with 100 mediated devices, one of which a guest uses. */
export function bench(report: (line: string) => void): void {
  let machine!: ApMachine;
  let mdevs!: readonly VfioApInstance[];
  const boot = median(1, () => {
    ({ machine, mdevs } = largeMachine());
  });
  const { shell } = machine;
  const first = mdevs[0]!;
  machine.startGuest({ name: 'g1' }).plug(first.vfio);
  const file = (name: string) => `${MATRIX}/${first.matrix.uuid}/${name}`;

  const refused = median(21, () => {
    try {
      shell.echo('+50', APMASK);
    } catch {
      return;
    }
    throw new Error('the veto was not given');
  });
  const moved = median(80, (n) => void shell.echo(n % 2 === 0 ? '-200' : '+200', APMASK));
  const rescan = median(7, () => void shell.echo('1', '/sys/bus/ap/scans'));
  report(line('mask change, refused by the veto', refused, 10, 'nothing moves'));
  report(
    line(
      'mask change, 256 queues change their driver',
      moved,
      10,
      `${ratio(boot, moved)} faster than boot and set-up`,
    ),
  );

  const assigned = median(30, (n) => {
    shell.echo(`${10 + n}`, file('assign_domain'));
  });
  const others = mdevs.slice(1).map(({ matrix }) => matrix.matrix);
  const byMasks = median(
    30,
    () => void machine.vfioAp!.matrixDev.sharers(first.matrix.matrix, first.matrix),
  );
  const byQueues = median(
    30,
    () => void others.some((other) => shareByQueues(first.matrix.matrix, other)),
  );
  report(
    line(
      'assignment to a running guest, sharing checked',
      assigned,
      1,
      `the check by masks ${ratio(byQueues, byMasks)} faster than by queues`,
    ),
  );
  report(
    line('full rescan of 65,536 queues', rescan, 200, `boot and set-up took ${boot.toFixed(0)} ms`),
  );
}
