import { ApMask, Kvm, VFIO_AP_GENERATIONS } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import {
  errnoOf,
  free,
  HARDWARE,
  Holder,
  M2,
  machine,
  Opener,
  rcOf,
  record,
} from '../support/fixture.js';

describe('opening a mediated device', () => {
  it('[ap:123] needs a virtual machine', () => {
    const m = free();
    const { vfio } = m.assigned([5], [4]).instance;
    expect(errnoOf(() => new Opener(m, vfio).open())).toBe('EINVAL');
    expect(vfio.openCount).toBe(0);
  });

  it('[ap:124] gives the machine what the filter passes, by every door', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4, 0xab]);
    mdev.write('assign_control_domain', '4');
    const holder = new Holder(m, mdev);
    const { apm, aqm, adm } = holder.kvm.masks;
    expect([[...apm], [...aqm], [...adm]]).toEqual([[5, 6], [4, 0xab], [4]]);
    expect(m.shell.cat(m.device('06.00ab', 'status'))).toBe('in use\n');
    holder.close();

    const cdev = new Opener(m, mdev.instance.vfio, { door: 'cdev' }).tie();
    cdev.open();
    expect([...cdev.kvm.masks.apm]).toEqual([5, 6]);
  });

  it('[ap:125] is refused for a machine that has another', () => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    const second = m.assigned([6], [4], M2);
    const opener = new Opener(m, second.instance.vfio, { kvm: holder.kvm });
    expect(errnoOf(() => opener.tie(holder.kvmVfio).open())).toBe('EPERM');
    expect([...holder.kvm.masks.apm]).toEqual([5]);
    expect(second.matrix.kvm).toBeUndefined();
  });

  it('[ap:126] is for one opener of the group file', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    expect(errnoOf(() => new Opener(m, mdev.instance.vfio))).toBe('EBUSY');
    holder.close();
    expect(errnoOf(() => new Opener(m, mdev.instance.vfio))).toBe('ok');
  });

  it('goes by one door at a time', () => {
    const m = free();
    const { vfio } = m.assigned([5], [4]).instance;
    const group = new Opener(m, vfio);
    const cdev = new Opener(m, vfio, { door: 'cdev' }).tie();
    expect(errnoOf(() => cdev.open())).toBe('EBUSY');
    group.files.close();
    cdev.open();
    expect(errnoOf(() => cdev.open())).toBe('EINVAL');
    expect(errnoOf(() => new Opener(m, vfio))).toBe('EBUSY');
    const other = new Opener(m, vfio, { door: 'cdev' }).tie();
    expect(errnoOf(() => other.open())).toBe('EINVAL');
  });

  it('leaves the machine what it has when the file is untied', () => {
    const m = free();
    const opener = new Opener(m, m.assigned([5], [4]).instance.vfio).tie();
    opener.open();
    opener.files.removeFromKvm();
    expect([...opener.kvm.masks.apm]).toEqual([5]);
  });

  it('[ap:129] with an empty guest matrix gives nothing', () => {
    const m = free();
    const holder = new Holder(m, m.create());
    expect(holder.kvm.crycb.every((byte) => byte === 0)).toBe(true);
    expect(rcOf(holder.aqic(0x0504, true))).toBe(1);
  });

  it('does not reset queues', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const zapped = record(m, 'ZAPQ');
    new Holder(m, mdev);
    expect(zapped).toEqual([]);
  });
});

describe('closing it', () => {
  it('[ap:127] takes the queues from the machine, and cleans them', () => {
    const m = free({ hardware: { ...HARDWARE, resetTime: 30 } });
    const mdev = m.assigned([5], [4, 0x47]);
    const holder = new Holder(m, mdev);
    m.clock.advance(100);
    const zapped = record(m, 'ZAPQ');
    const { now } = m.clock;
    holder.close();
    expect(holder.kvm.crycb.every((byte) => byte === 0)).toBe(true);
    expect(zapped).toEqual(['05.0004', '05.0047']);
    expect(m.clock.now - now).toBe(40);
    expect(m.hardware.tapq(0x0504) & 0x00ff_0000).toBe(0);
    expect(m.shell.cat(m.device('05.0004', 'status'))).toBe('assigned\n');
  });

  it('[ap:128] leaves matrix and filter as they are for the next', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const first = new Holder(m, mdev);
    const masks = String(first.kvm.masks.apm);
    first.close();
    expect(String(new Holder(m, mdev).kvm.masks.apm)).toBe(masks);
  });

  it('[ap:132] lets the machine go, which may have been closed long before', () => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    holder.kvm.putReference();
    expect(holder.kvm.references).toBe(1);
    expect([...holder.kvm.masks.apm]).toEqual([5]);
    holder.close();
    expect(holder.kvm.references).toBe(0);
  });
});

describe('the format of the crypto control block', () => {
  it('[ap:130] drops adapters above 63 and domains above 15 without a word', () => {
    const m = machine({ hardware: { adapters: [5, 64], domains: [4, 16] } });
    m.writeBus('apmask', '-5,-64');
    const mdev = m.assigned([5, 64], [4, 16]);
    const holder = new Holder(m, mdev, { facilities: [12, 15, 65] });
    expect(mdev.passed).toHaveLength(4);
    const { apm, aqm } = holder.kvm.masks;
    expect([[...apm], [...aqm]]).toEqual([[5], [4]]);
  });

  it('[ap:130] drops them in format 1 as well', () => {
    const host = machine({ hardware: { ...HARDWARE, domains: [4], flags: { apxa: false } } });
    const kvm = new Kvm({ name: 'g' }, host.hardware);
    expect(kvm.format).toBe(1);
    kvm.setMasks({ apm: ApMask.of(5, 63, 64), aqm: ApMask.of(4, 15, 16), adm: ApMask.of(15, 16) });
    const { apm, aqm, adm } = kvm.masks;
    expect([[...apm], [...aqm], [...adm]]).toEqual([[5, 63], [4, 15], [15]]);
    expect(kvm.crycb.subarray(0x80).every((byte) => byte === 0)).toBe(true);
  });

  it('[ap:131] depends on the guest’s facilities and the host’s addressing', () => {
    const host = (apxa: boolean) =>
      machine({ hardware: { ...HARDWARE, domains: [4], flags: { apxa } } }).hardware;
    const format = (facilities: number[], apxa: boolean) =>
      new Kvm({ name: 'g', facilities }, host(apxa)).format;
    expect(format([12, 15, 65], true)).toBe(0);
    expect(format([12, 15, 65, 76], false)).toBe(1);
    expect(format([12, 15, 65, 76], true)).toBe(2);
  });
});

describe('the tie to KVM of earlier generations:', () => {
  const [counter, notifier, current] = VFIO_AP_GENERATIONS;

  /** Two devices, opened one after the other for the same machine. */
  function twoForOne(generation: (typeof VFIO_AP_GENERATIONS)[number]) {
    const m = free({ vfioAp: { generation } });
    const first = new Holder(m, m.assigned([5], [4]));
    const second = m.assigned([6], [4], M2);
    const opener = new Opener(m, second.instance.vfio, { kvm: first.kvm });
    const result = errnoOf(() => opener.tie(first.kvmVfio).open());
    return { result, kvm: first.kvm, second };
  }

  it.each([counter, notifier])(
    '$name lets a second device be opened, and gives nothing through it',
    (generation) => {
      const { result, kvm, second } = twoForOne(generation);
      expect(result).toBe('ok');
      expect([...kvm.masks.apm]).toEqual([5]);
      expect(second.matrix.kvm).toBeUndefined();
    },
  );

  it('kvm-at-open refuses it', () => {
    expect(twoForOne(current).result).toBe('EPERM');
  });

  it.each([counter, notifier])(
    '$name opens without a machine, and learns of it later',
    (generation) => {
      const m = free({ vfioAp: { generation } });
      const mdev = m.assigned([5], [4]);
      const opener = new Opener(m, mdev.instance.vfio);
      opener.open();
      opener.tie();
      expect([...opener.kvm.masks.apm]).toEqual([5]);
    },
  );

  it('kvm-counter only forgets a machine that goes; group-notifier takes the queues from it', () => {
    const left = [counter, notifier].map((generation) => {
      const m = free({ vfioAp: { generation } });
      const opener = new Opener(m, m.assigned([5], [4]).instance.vfio).tie();
      opener.open();
      opener.files.removeFromKvm();
      return [...opener.kvm.masks.apm];
    });
    expect(left).toEqual([[5], []]);
  });

  it.each([counter, notifier])('$name changes nothing while a guest runs', (generation) => {
    const m = free({ vfioAp: { generation } });
    const mdev = m.assigned([5], [4]);
    new Holder(m, mdev);
    expect(errnoOf(() => mdev.write('assign_domain', '0x47'))).toBe('EBUSY');
    expect(errnoOf(() => mdev.write('unassign_domain', '4'))).toBe('EBUSY');
    expect(errnoOf(() => mdev.write('remove', '1'))).toBe('EBUSY');
  });

  it.each([counter, notifier])(
    '$name assigns what is bound to vfio_ap, and nothing else',
    (generation) => {
      const m = free({ vfioAp: { generation } });
      m.writeBus('apmask', '-9');
      const mdev = m.create();
      expect(errnoOf(() => mdev.write('assign_adapter', '9'))).toBe('EADDRNOTAVAIL');
      mdev.write('assign_adapter', '5');
      expect(errnoOf(() => mdev.write('assign_domain', '5'))).toBe('EADDRNOTAVAIL');
      mdev.write('assign_domain', '4');
      expect(mdev.assigned).toEqual(['05.0004']);
    },
  );

  it('kvm-counter answers no AQIC', () => {
    const m = free({ vfioAp: { generation: counter } });
    const holder = new Holder(m, m.assigned([5], [4]));
    expect(rcOf(holder.aqic(0x0504, true))).toBe(1);
  });
});
