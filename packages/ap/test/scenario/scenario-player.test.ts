import {
  PLAIN,
  parseScenario,
  registerAp,
  reportComparison,
  reportRun,
  runDocument,
  ScenarioPlayer,
  SHIPPED_SCENARIOS,
  shippedScenario,
  withStep,
} from '@vfiokit/ap';
import { container } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { DESIGNS, play } from '../support/scenario.js';

const outcomes = (run: { results: readonly { outcome: string }[] }) =>
  run.results.map(({ outcome }) => outcome);

function player(): ScenarioPlayer {
  const own = container.createChildContainer();
  registerAp(own);
  return own.resolve(ScenarioPlayer);
}

describe('a played scenario', () => {
  it('tells what every step did, and to whom', async () => {
    const run = await play(`
- free: {adapters: 5}
- create: m1
- assign: {matrix: m1, adapters: 5, domains: 4}
- start: {guest: g1, matrix: m1, boot: yes}
- apmask: "+5"
`);
    expect(outcomes(run)).toEqual(['ok', 'ok', 'ok', 'ok', 'EBUSY']);
    expect(run.results[2]!.effects).toEqual([
      { kind: 'matrix', subject: 'm1', text: '05.0004 assigned' },
      { kind: 'matrix', subject: 'm1', text: '05.0004 passed' },
    ]);
    expect(run.results[3]!.effects.map(({ text }) => text)).toContain('gets 05.0004');
    expect(run.results[4]!.messages).toContain('05.0004: assigned to mediated device m1');
    expect(run.results[4]!.effects).toEqual([]);
  });

  it('knows what a design does not have', async () => {
    const run = await play('- modprobe: vfio_ap', DESIGNS[1]);
    expect(run.results[0]).toMatchObject({ outcome: 'n/a', effects: [] });
  });

  it('sees a write that blocks, and its end', async () => {
    const run = await play(`
- free: {adapters: 5}
- create: m1
- assign: {matrix: m1, adapters: 5, domains: 4}
- start: {guest: g1, matrix: m1, stubborn: yes}
- remove: m1
- wait: 25
- exit: g1
`);
    expect(outcomes(run)).toEqual(['ok', 'ok', 'ok', 'ok', 'waits', 'ok', 'ok']);
    expect(run.results.at(-1)!.effects.map(({ text }) => text)).toContain('is gone');
  });

  it('notices what is otherwise than expected', async () => {
    const run = await play(`
- create: m1
  expect: EBUSY
- start: {guest: g1}
  guests: {g1: [05.0004]}
- wait: 1
  breaks: [vfio-ap]
`);
    expect(run.passed).toBe(false);
    expect(run.results.map(({ unmet }) => unmet)).toEqual([
      ['expected EBUSY, got ok'],
      ['expected g1 to have 05.0004, it has nothing'],
      ['expected a queue with two users'],
    ]);
    expect(reportRun(run).at(-1)).toBe('3 of 3 steps not as expected');
  });

  it('goes on after an IPL, on the hardware as it is', async () => {
    const run = await play(`
- free: {adapters: 5}
- create: m1
- assign: {matrix: m1, adapters: 5, domains: 4}
- start: {guest: g1, matrix: m1, boot: yes}
- add_adapter: {adapter: 7, type: 11}
- ipl: {apmask: "0xfb"}
- assign: {matrix: m1, domains: 4}
`);
    expect(outcomes(run)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ENOENT']);
    expect([...run.world.kernel.bus.cards.keys()]).toEqual([5, 6, 7]);
    expect(run.world.kernel.bus.cards.get(7)?.type).toBe(11);
    expect(run.world.partition.guests.size).toBe(0);
    run.world.partition.clock.advance(300_000);
    expect(run.world.kernel.bus.scans).toBe(11);
  });

  it('is one document for programs', async () => {
    const document = JSON.parse(JSON.stringify(runDocument(await play('- create: m1'))));
    expect(document).toMatchObject({
      design: 'vfio-ap',
      passed: true,
      steps: [{ line: 2, verb: 'create', actor: 'administrator', outcome: 'ok' }],
    });
  });
});

describe('every step', () => {
  it('is refused for guests and matrices that there are not', async () => {
    const run = await play(`
- start: {guest: g1, matrix: m9}
- boot: g9
- assign: {matrix: m9, adapters: 5}
- remove: m9
- request: 09.0004
- card: {adapter: 9, configured: no}
- plug: {guest: g9, matrix: m1}
`);
    expect(outcomes(run)).toEqual([
      'ENOENT',
      'ENOENT',
      'ENOENT',
      'ENOENT',
      'ENODEV',
      'ENODEV',
      'ENOENT',
    ]);
    expect(run.world.partition.guests.size).toBe(0);
  });

  it('does what it says', async () => {
    const run = await play(`
- override: {queue: 05.0004, driver: vfio_ap}
- unbind: 05.0004
- probe: 05.0004
- create: m1
- assign: {matrix: m1, adapters: 5, domains: 4}
- start: {guest: g1}
- plug: {guest: g1, matrix: m1}
- irq: {guest: g1, queue: 05.0004, on: yes}
- unmap: {guest: g1, address: 0x5000}
- irq: {guest: g1, queue: 05.0004, on: no}
- irq: {guest: g1, queue: 06.0004, on: yes}
- reboot: g1
- halt: g1
- migrate: g1
- unplug: g1
- migrate: g1
- remove: m1
- override: {queue: 05.0004, driver: ""}
- bind: {queue: 05.0004, driver: cex4queue}
- aqmask: "-4"
- card: {adapter: 6, configured: no}
- checkstop: 5
- scan: now
- rmmod: vfio_ap
- modprobe: vfio_ap
`);
    expect(outcomes(run)).toEqual([
      ...Array(9).fill('ok'),
      'RC 07',
      'RC 01',
      'ok',
      'ok',
      'EPERM',
      'ok',
      'ok',
      'ok',
      'ok',
      'EBUSY',
      ...Array(6).fill('ok'),
    ]);
  });
});

describe('the shipped scenarios', () => {
  it.each(Object.keys(SHIPPED_SCENARIOS))(
    '%s comes out as it says, in every design',
    async (name) => {
      for (const run of await player().compare(
        parseScenario(shippedScenario(name), `${name}.yaml`),
      ))
        expect(
          run.results.flatMap(({ text, unmet }) =>
            unmet.map((what) => `${run.design.name}: ${text}: ${what}`),
          ),
        ).toEqual([]);
    },
  );

  it('are the only ones', () => {
    expect(() => shippedScenario('nothing')).toThrow(/no such scenario; there are s390x-lpar/);
  });
});

describe('a comparison', () => {
  it('lays outcomes side by side, and says whose an effect is', async () => {
    const scenario = parseScenario(shippedScenario('veto'), 'veto.yaml');
    const lines = reportComparison(await player().compare(scenario), PLAIN);
    const wants = lines.findIndex((line) => line.includes('want adapter 5 back'));
    expect(lines[wants]).toMatch(/EBUSY +EBUSY +ok$/);
    expect(lines.slice(wants)).toContain('       g1 loses 05.{0004,0047}  [matrix-bus-forced]');
  });
});

describe('the player', () => {
  it('knows the designs that are registered', () => {
    const { designs } = player();
    expect(designs.map(({ name }) => name)).toEqual([
      'vfio-ap',
      'matrix-bus-strict',
      'matrix-bus-forced',
    ]);
    expect(player().design().name).toBe('vfio-ap');
    expect(() => player().design('other')).toThrow(/no such design; there are vfio-ap/);
  });
});

describe('a session', () => {
  it('grows step by step, and keeps what else is in it', () => {
    const first = withStep(undefined, 'create', ['m1']);
    expect(first).toBe('title: a session\nsteps:\n  - create: m1\n');
    const second = withStep(`# mine\n${first}`, 'assign', [
      'matrix=m1',
      'adapters=5,6',
      'domains=4',
    ]);
    expect(second).toContain('# mine');
    expect(parseScenario(second, 's').steps).toMatchObject([
      { verb: 'create', input: 'm1' },
      { verb: 'assign', input: { matrix: 'm1', adapters: [5, 6], domains: [4] } },
    ]);
    const third = withStep(second, 'ap_config', ['matrix=m1', 'masks=0x04,0x08,0x0']);
    expect(parseScenario(third, 's').steps.at(-1)!.input).toEqual({
      matrix: 'm1',
      masks: '0x04,0x08,0x0',
    });
    expect(() => withStep('title: x\n', 'create', ['m1'])).toThrow(/no scenario/);
  });
});
