import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { errnoOf, free, HARDWARE, Holder, lines, M2, machine } from '../support/fixture.js';

describe('assigning', () => {
  it('[ap:80] an adapter and a domain assigns their queue', () => {
    expect(free().assigned([5], [4]).read('matrix')).toBe('05.0004\n');
  });

  it.each([
    ['0x5', '05.\n'],
    ['05', '05.\n'],
    ['+5', '05.\n'],
    ['5\n', '05.\n'],
    ['0X5', '05.\n'],
    ['0107', '47.\n'],
  ])('[ap:81] takes numbers as C writes them: %j', (text, matrix) => {
    const mdev = free().create();
    mdev.write('assign_adapter', text);
    expect(mdev.read('matrix')).toBe(matrix);
  });

  it.each(['abc', '\n', ' 5', '-5', '5 6', '08', '5\n\n', '0x', '++5'])(
    '[ap:82] takes nothing else: %j',
    (text) => {
      const mdev = free().create();
      for (const what of ['adapter', 'domain', 'control_domain'])
        for (const verb of ['assign', 'unassign'])
          expect(errnoOf(() => mdev.write(`${verb}_${what}`, text))).toBe('EINVAL');
      expect(mdev.read('matrix')).toBe('');
    },
  );

  it('[ap:83] says ERANGE beyond 64 bits', () => {
    const mdev = free().create();
    expect(errnoOf(() => mdev.write('assign_adapter', '18446744073709551616'))).toBe('ERANGE');
    expect(errnoOf(() => mdev.write('assign_adapter', '18446744073709551615'))).toBe('ENODEV');
  });

  it('[ap:84] says ENODEV above the highest id', () => {
    const mdev = free({ hardware: { ...HARDWARE, na: 63 } }).create();
    expect(errnoOf(() => mdev.write('assign_adapter', '64'))).toBe('ENODEV');
    expect(errnoOf(() => mdev.write('assign_adapter', '63'))).toBe('ok');
  });

  it('[ap:85] knows 64 adapters and 16 domains without extended addressing', () => {
    const mdev = free({ hardware: { ...HARDWARE, domains: [4], flags: { apxa: false } } }).create();
    expect(errnoOf(() => mdev.write('assign_adapter', '64'))).toBe('ENODEV');
    expect(errnoOf(() => mdev.write('assign_domain', '16'))).toBe('ENODEV');
    expect(errnoOf(() => mdev.write('assign_control_domain', '16'))).toBe('ENODEV');
    expect(errnoOf(() => mdev.write('assign_control_domain', '15'))).toBe('ok');
  });

  it('[ap:86] again what is assigned does nothing', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    const { updates } = holder.kvm;
    const changed = new EventFd();
    mdev.matrix.attachment.triggers[1] = changed;
    mdev.write('assign_adapter', '5');
    mdev.write('assign_domain', '4');
    expect([holder.kvm.updates, changed.count]).toEqual([updates, 0]);
    expect(mdev.read('matrix')).toBe('05.0004\n');
  });

  it('[ap:86] again what is assigned does not run the filter', () => {
    const m = free();
    const mdev = m.assigned([5], [4, 0x47]);
    m.shell.echo('05.0047', '/sys/bus/ap/drivers/vfio_ap/unbind');
    mdev.write('unassign_domain', '0x47');
    for (const [what, id] of [
      ['assign_adapter', '5'],
      ['assign_domain', '4'],
    ] as const) {
      mdev.write(what, id);
      expect(mdev.passed).toEqual(['.0004']);
    }
    mdev.write('assign_adapter', '6');
    expect(mdev.passed).toEqual(['05.0004', '06.0004']);
  });

  it('[ap:87 ap:88] of a reserved queue fails as soon as there is one', () => {
    const mdev = machine().create();
    mdev.write('assign_adapter', '5');
    expect(errnoOf(() => mdev.write('assign_domain', '4'))).toBe('EADDRNOTAVAIL');
    expect(mdev.read('matrix')).toBe('05.\n');
  });

  it('[ap:89] of a queue that another device has fails, of its neighbours does not', () => {
    const m = free();
    m.assigned([5], [4]);
    const second = m.create(M2);
    second.write('assign_adapter', '5');
    expect(errnoOf(() => second.write('assign_domain', '4'))).toBe('EADDRINUSE');
    second.write('assign_domain', '0x47');
    expect(second.assigned).toEqual(['05.0047']);
  });

  it('[ap:90] looks at the id first', () => {
    // With a domain assigned every adapter makes a queue, and all of them are the host's.
    const mdev = machine({ hardware: { ...HARDWARE, na: 63 } }).assigned([], [4]);
    expect(errnoOf(() => mdev.write('assign_adapter', '63'))).toBe('EADDRNOTAVAIL');
    expect(errnoOf(() => mdev.write('assign_adapter', '64'))).toBe('ENODEV');
  });

  it('[ap:91] looks at reservation before sharing', () => {
    const m = machine();
    m.writeBus('apmask', '-5');
    m.assigned([5], [4], M2);
    const mdev = m.assigned([5, 7], []);
    expect(errnoOf(() => mdev.write('assign_domain', '4'))).toBe('EADDRNOTAVAIL');
  });

  it('[ap:92] may be ahead of the hardware', () => {
    const m = free();
    m.writeBus('apmask', '-9');
    const mdev = m.assigned([5, 9], [4]);
    expect(mdev.assigned).toEqual(['05.0004', '09.0004']);
    expect(mdev.passed).toEqual(['05.0004']);
  });

  it('[ap:96 ap:97] control domains are nobody’s own', () => {
    const m = free();
    const [first, second] = [m.create(), m.create(M2)];
    for (const mdev of [first, second]) {
      mdev.write('assign_control_domain', '4');
      expect(mdev.read('control_domains')).toBe('0004\n');
    }
  });

  it('[ap:98] a control domain that the host lacks is not passed', () => {
    const mdev = free().create();
    mdev.write('assign_control_domain', '5');
    mdev.write('assign_control_domain', '4');
    expect(mdev.read('control_domains')).toBe('0004\n0005\n');
    expect([...mdev.matrix.shadow.adm]).toEqual([4]);
  });

  it('[ap:99] goes on while a guest runs', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    m.guestWith(mdev);
    mdev.write('assign_domain', '0x47');
    expect(mdev.passed).toEqual(['05.0004', '05.0047']);
  });

  it('[ap:100] that fails leaves everything as it was', () => {
    const m = free();
    m.assigned([5], [0x47], M2);
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    const state = () => [
      mdev.assigned,
      mdev.passed,
      String(holder.kvm.masks.aqm),
      holder.kvm.updates,
      m.vfioAp!.matrixDev.findQueue(0x0547)!.mdev!.uuid,
    ];
    const before = state();
    expect(errnoOf(() => mdev.write('assign_domain', '0x47'))).toBe('EADDRINUSE');
    expect(state()).toEqual(before);
  });
});

describe('unassigning', () => {
  it('[ap:95] what was never assigned is fine, above the highest id it is not', () => {
    const mdev = free({ hardware: { ...HARDWARE, na: 63 } }).create();
    expect(errnoOf(() => mdev.write('unassign_adapter', '7'))).toBe('ok');
    expect(errnoOf(() => mdev.write('unassign_adapter', '64'))).toBe('ENODEV');
  });

  it('takes queues out of the matrix, and a control domain out of its own', () => {
    const mdev = free().assigned([5, 6], [4, 0x47]);
    mdev.write('assign_control_domain', '4');
    mdev.write('unassign_adapter', '6');
    mdev.write('unassign_domain', '0x47');
    mdev.write('unassign_control_domain', '4');
    expect(mdev.assigned).toEqual(['05.0004']);
    expect(mdev.read('control_domains')).toBe('');
    expect([...mdev.matrix.shadow.adm]).toEqual([]);
  });
});

describe('the text of matrix', () => {
  it('[ap:93] shows what there is of a product', () => {
    const m = free();
    expect(m.create().read('matrix')).toBe('');
    const adapters = m.assigned([5, 6], [], M2);
    expect(adapters.read('matrix')).toBe('05.\n06.\n');
    const domains = m.assigned([], [4, 0xab], '33333333-3333-3333-3333-333333333333');
    expect(domains.read('matrix')).toBe('.0004\n.00ab\n');
  });

  it('[ap:94] goes through adapters, and through domains inside', () => {
    const mdev = free().assigned([6, 5], [0xab, 4]);
    expect(mdev.read('matrix')).toBe('05.0004\n05.00ab\n06.0004\n06.00ab\n');
  });

  it('[ap:101] ends just below a page', () => {
    const m = free();
    m.writeBus('apmask', '-0-255');
    const range = (length: number) => Array.from({ length }, (_, n) => n);
    const text = m.assigned(range(20), range(30)).read('matrix');
    expect(text).toHaveLength(4088);
    expect(lines(text)).toHaveLength(511);
    expect(lines(text).at(-1)).toBe('11.0000');
  });
});
