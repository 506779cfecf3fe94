import { parseScenario } from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const problem = (source: string): string => {
  try {
    parseScenario(source, 'lab.yaml');
    return 'none';
  } catch (error) {
    expect(error).toMatchObject({ code: 'EINVAL' });
    return (error as Error).message;
  }
};

describe('a scenario', () => {
  it('has a machine, and steps in order', () => {
    const { title, machine, steps } = parseScenario(
      `title: lab
machine:
  adapters: {5: {type: 14, depth: 4}}
  domains: [4, 0x47]
  apmask: "0xff"
  vfio_ap: group-notifier
steps:
  - use: {guest: g1, queue: 05.0004}
  - assign: {matrix: m1, adapters: 5, domains: [4, 0x47]}
    expect: {vfio-ap: EBUSY}
    guests: {g1: [05.0004]}
`,
      'lab.yaml',
    );
    expect(title).toBe('lab');
    expect(machine).toMatchObject({
      hardware: { adapters: { 5: { type: 14, depth: 4 } }, domains: [4, 0x47] },
      parameters: { apmask: '0xff' },
      generation: { name: 'group-notifier' },
    });
    expect(steps).toMatchObject([
      { verb: 'use', input: { guest: 'g1', queue: 0x0504 }, line: 8 },
      {
        verb: 'assign',
        input: { matrix: 'm1', adapters: [5], domains: [4, 0x47], control_domains: [] },
        expect: { 'vfio-ap': 'EBUSY' },
        guests: { g1: ['05.0004'] },
        line: 9,
      },
    ]);
  });

  it('describes a machine as far as it says something', () => {
    const { machine } = parseScenario(
      `machine:
  adapters: {5: {type: 10, compatible_type: 11, depth: 4, domains: 16}}
  domains: 4
  control_domains: 5
  highest_adapter: 15
  highest_domain: 31
  apxa: no
  qci: no
  reset_time: 20
  aqmask: "0x0"
steps: []
`,
      'lab.yaml',
    );
    expect(machine).toEqual({
      hardware: {
        adapters: { 5: { type: 10, compatibleType: 11, depth: 4, domains: 16 } },
        domains: [4],
        controlDomains: [5],
        na: 15,
        nd: 31,
        flags: { apxa: false },
        qciInstalled: false,
        resetTime: 20,
      },
      parameters: { aqmask: '0x0' },
      generation: undefined,
    });
    const least = parseScenario('machine: {adapters: 5, domains: 4}\nsteps: []', 'lab.yaml');
    expect(least.machine).toEqual({
      hardware: { adapters: [5], domains: [4], controlDomains: [] },
      parameters: {},
      generation: undefined,
    });
  });

  it.each([
    ['steps: [', /^lab\.yaml:1:\d+: /],
    ['steps:\n  - {}', /^lab\.yaml:2:5: a step has one verb/],
    ['steps:\n  - create: m1\n    boot: g1', /^lab\.yaml:2:5: a step has one verb/],
    ['steps:\n  - crate: m1', /^lab\.yaml:2:5: crate: no such step; there are .*create/],
    ['steps:\n  - wait: soon', /^lab\.yaml:2:11: steps\.0\.wait: no number/],
    ['steps:\n  - unbind: 5.4', /^lab\.yaml:2:13: steps\.0\.unbind: no queue/],
    [
      'steps:\n  - create: m1\n  - assign: {matrix: m1, adapters: [5, 300]}',
      /^lab\.yaml:3:40: steps\.1\.assign\.adapters\.1: numbers of adapters/,
    ],
    ['steps:\n  - assign: {adapters: 5}', /^lab\.yaml:2:13: steps\.0\.assign\.matrix: /],
    ['steps:\n  - scan: later', /^lab\.yaml:2:11: /],
    ['title: x', /^lab\.yaml:1:1: steps: /],
    ['machine: {domains: 4}\nsteps: []', /^lab\.yaml:1:10: machine\.adapters: /],
    [
      'machine: {adapters: 5, domains: 4, vfio_ap: newest}\nsteps: []',
      /^lab\.yaml:1:45: machine\.vfio_ap: /,
    ],
    ['', /^lab\.yaml:1:1: /],
  ])('says where it is wrong: %j', (source, message) => {
    expect(problem(source)).toMatch(message);
  });

  it('of any text whatever is one, or EINVAL', () => {
    const piece = fc.constantFrom(
      'steps:',
      '\n  - ',
      'create: m1',
      '{',
      '}',
      '[5,',
      'adapters',
      ': ',
      '\t',
      '&a',
      '*a',
      '"',
      "'",
      '0x',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        problem(pieces.join(''));
      }),
    );
  });
});
