import { describe, expect, it } from 'vitest';
import { INTERPRETING_MACHINE, interpretationAllowed, KvmZpci } from '../src/index.js';
import { recordedFunction } from './recorded-function.js';

const EPERM = 1;
const EIO = 5;
const ENOMEM = 12;
const EFAULT = 14;
const ENODEV = 19;
const EINVAL = 22;
const ENOTTY = 25;
const ZPCI_OP = 0x4048aed1;

const guestMemory = () => {
  const pages = new Map<bigint, Uint8Array>([
    [1n, new Uint8Array(4096)],
    [2n, new Uint8Array(4096)],
  ]);
  return { pages, page: (address: bigint) => pages.get(address >> 12n) };
};

function setUp(options: ConstructorParameters<typeof KvmZpci>[0] = {}) {
  const kvm = new KvmZpci(options);
  const vm = {};
  const memory = guestMemory();
  const log: string[] = [];
  const guest = {
    gisa: 0x8000,
    page: memory.page,
    interpret: () => log.push('interpret'),
    alert: (isc: number) => log.push(`alert ${isc}`),
  };
  kvm.addVm(vm, guest);
  return { kvm, vm, guest, log, ...memory };
}

interface Op {
  readonly fh: number;
  readonly op?: number;
  readonly ibv?: bigint;
  readonly sb?: bigint;
  readonly flags?: number;
  readonly noi?: number;
  readonly isc?: number;
  readonly sbo?: number;
}

/** struct kvm_s390_zpci_op: 72 bytes. */
function zpciOp({ fh, op = 0, ibv = 0x1000n, sb = 0n, flags = 0, noi = 8, isc = 3, sbo = 0 }: Op) {
  const view = new DataView(new ArrayBuffer(72));
  view.setUint32(0, fh, true);
  view.setUint8(4, op);
  view.setBigUint64(8, ibv, true);
  view.setBigUint64(16, sb, true);
  view.setUint32(24, flags, true);
  view.setUint32(28, noi, true);
  view.setUint8(32, isc);
  view.setUint8(33, sbo);
  return new Uint8Array(view.buffer);
}

const forward = (host: ReturnType<typeof setUp>, op: Op) =>
  host.kvm.ioctl(host.vm, ZPCI_OP, zpciOp(op));

describe('a function that a virtual machine gets', () => {
  it('[derived:85] has another handle afterwards where the machine interprets', () => {
    const { kvm, vm, log } = setUp();
    const zdev = recordedFunction();
    expect(kvm.register(zdev, vm)).toBe(0);
    expect(zdev.fh).not.toBe(0x80020000);
    expect(zdev.enabled).toBe(true);
    expect(zdev.gisa).toBe(0x8000);
    expect(log).toEqual(['interpret']);
  });

  it('switches interpretation on once for all functions of the machine', () => {
    const { kvm, vm, log } = setUp();
    kvm.register(recordedFunction(), vm);
    kvm.register(recordedFunction({ fh: 0x80020001 }), vm);
    expect(log).toEqual(['interpret']);
    expect(kvm.functions(vm)).toHaveLength(2);
  });

  it('[derived:83] can not be given twice, nor to a machine that there is not', () => {
    const { kvm, vm } = setUp();
    const zdev = recordedFunction();
    kvm.register(zdev, vm);
    expect(kvm.register(zdev, vm)).toBe(-EINVAL);
    expect(kvm.register(recordedFunction(), {})).toBe(-EINVAL);
  });

  it.each([
    { machineType: 2964 },
    { loadStore: false },
    { eventNotification: false },
    { sourceId: false },
    { interruption: false },
  ])('[derived:84] is only put on the list where the machine does not interpret: %o', (lacking) => {
    const machine = { ...INTERPRETING_MACHINE, ...lacking };
    expect(interpretationAllowed(machine)).toBe(false);
    const { kvm, vm } = setUp({ machine });
    const zdev = recordedFunction();
    expect(kvm.register(zdev, vm)).toBe(0);
    expect(zdev.fh).toBe(0x80020000);
    expect(kvm.functions(vm)).toEqual([zdev]);
    kvm.unregister(zdev);
    expect(zdev.fh).toBe(0x80020000);
    expect(kvm.functions(vm)).toEqual([]);
  });

  it('[derived:86] is usable by the host again when it is taken back, with forwarding off', () => {
    const host = setUp();
    const zdev = recordedFunction();
    host.kvm.register(zdev, host.vm);
    const { fh } = zdev;
    expect(forward(host, { fh })).toBe(0);
    host.kvm.unregister(zdev);
    expect(zdev.gisa).toBe(0);
    expect(zdev.enabled).toBe(true);
    expect(zdev.fh).not.toBe(fh);
    expect(host.kvm.interrupt(zdev, 0)).toBe(false);
    expect(host.kvm.register(zdev, host.vm)).toBe(0);
    expect(forward(host, { fh: zdev.fh })).toBe(0);
  });

  it.each([
    ['disable', false, true],
    ['enable', true, false],
  ])('stays the host’s if firmware refuses to %s it', (_, refused, enabled) => {
    let refuses = true;
    const setFunction = (__: unknown, enable: boolean) =>
      refuses && enable === refused ? -EIO : 0;
    const { kvm, vm } = setUp({ setFunction });
    const zdev = recordedFunction();
    expect(kvm.register(zdev, vm)).toBe(-EIO);
    expect([zdev.gisa, zdev.kzdev, zdev.enabled]).toEqual([0, undefined, enabled]);
    expect(kvm.functions(vm)).toEqual([]);
    refuses = false;
    expect(kvm.register(zdev, vm)).toBe(0);
    refuses = true;
    kvm.unregister(zdev);
    expect([zdev.gisa, zdev.kzdev, zdev.enabled]).toEqual([0, undefined, enabled]);
    expect(kvm.functions(vm)).toEqual([]);
  });

  it('is taken back with forwarding off even if firmware refuses to clear it', () => {
    const host = setUp({ summaryBits: 1, setForwarding: (_, on) => on });
    const [first, second] = [recordedFunction(), recordedFunction({ fh: 0x80020001 })];
    for (const zdev of [first, second]) host.kvm.register(zdev, host.vm);
    expect(forward(host, { fh: first.fh })).toBe(0);
    expect(forward(host, { fh: first.fh, op: 1 })).toBe(-EIO);
    host.kvm.unregister(first);
    expect([first.gisa, first.enabled, host.kvm.interrupt(first, 0)]).toEqual([0, true, false]);
    // The host's summary bit is free again.
    expect(forward(host, { fh: second.fh })).toBe(0);
  });
});

describe('forwarding of interrupts', () => {
  const withFunction = (options?: ConstructorParameters<typeof KvmZpci>[0]) => {
    const host = setUp(options);
    const zdev = recordedFunction();
    host.kvm.register(zdev, host.vm);
    return { ...host, zdev, fh: zdev.fh };
  };

  it('sets the bit of the interrupt and the summary bit, and alerts the guest', () => {
    const host = withFunction();
    expect(forward(host, { fh: host.fh, ibv: 0x1010n, sb: 0x2008n, sbo: 9, isc: 5 })).toBe(0);
    expect(host.kvm.interrupt(host.zdev, 3)).toBe(true);
    expect(host.pages.get(1n)![0x10]).toBe(0x10);
    expect(host.pages.get(2n)![0x09]).toBe(0x40);
    expect(host.log).toEqual(['interpret', 'alert 5']);
  });

  it('counts no more interrupts than the function has', () => {
    const host = withFunction();
    forward(host, { fh: host.fh, noi: 4000 });
    expect(host.kvm.interrupt(host.zdev, 127)).toBe(true);
    expect(host.kvm.interrupt(host.zdev, 128)).toBe(false);
  });

  it('[derived:87] is -ENODEV for an unknown handle and -EPERM for the record of another machine', () => {
    const host = withFunction();
    expect(forward(host, { fh: 0x1234 })).toBe(-ENODEV);
    const other = {};
    host.kvm.addVm(other, host.guest);
    host.zdev.kzdev = { ...host.zdev.kzdev!, vm: other };
    expect(forward(host, { fh: host.fh })).toBe(-EPERM);
  });

  it('[derived:88] is -EINVAL for a function that is not interpreted, on and off', () => {
    const host = withFunction({ machine: { ...INTERPRETING_MACHINE, loadStore: false } });
    expect(forward(host, { fh: host.fh })).toBe(-EINVAL);
    expect(forward(host, { fh: host.fh, op: 1 })).toBe(-EINVAL);
  });

  it.each<[string, Partial<Op>]>([
    ['a bit vector over two pages', { ibv: 0x1ff0n, noi: 129 }],
    ['a misaligned summary address', { sb: 0x2004n }],
    ['unknown flags', { flags: 2 }],
    ['an unknown operation', { op: 2 }],
  ])('[derived:89] is -EINVAL for %s', (_, op) => {
    const host = setUp();
    const zdev = recordedFunction({}, { noi: 256 });
    host.kvm.register(zdev, host.vm);
    expect(forward(host, { fh: zdev.fh, ...op })).toBe(-EINVAL);
  });

  it('takes a vector that just fits into its page', () => {
    const host = withFunction();
    expect(forward(host, { fh: host.fh, ibv: 0x1ff0n, noi: 128 })).toBe(0);
  });

  it('is -EINVAL while it is on, and can be switched off any number of times', () => {
    const host = withFunction();
    expect(forward(host, { fh: host.fh })).toBe(0);
    expect(forward(host, { fh: host.fh })).toBe(-EINVAL);
    expect(forward(host, { fh: host.fh, op: 1 })).toBe(0);
    expect(forward(host, { fh: host.fh, op: 1 })).toBe(0);
  });

  it('is -EIO for a page that is not there and when firmware refuses', () => {
    const host = withFunction();
    expect(forward(host, { fh: host.fh, ibv: 0x9000n })).toBe(-EIO);
    expect(forward(host, { fh: host.fh, sb: 0x9000n })).toBe(-EIO);
    const refusing = withFunction({ setForwarding: () => false });
    expect(forward(refusing, { fh: refusing.fh })).toBe(-EIO);
  });

  it('is -ENOMEM without a summary bit left, or past what the guest may lock', () => {
    const host = withFunction({ summaryBits: 0 });
    expect(forward(host, { fh: host.fh })).toBe(-ENOMEM);
    const poor = setUp();
    const vm = {};
    poor.kvm.addVm(vm, { ...poor.guest, lockedPageLimit: 1 });
    const zdev = recordedFunction();
    poor.kvm.register(zdev, vm);
    const op = zpciOp({ fh: zdev.fh, sb: 0x2000n });
    expect(poor.kvm.ioctl(vm, ZPCI_OP, op)).toBe(-ENOMEM);
  });

  it('knows one command, whose argument has to be there', () => {
    const host = withFunction();
    expect(host.kvm.ioctl(host.vm, 0x4048aed2, undefined)).toBe(-ENOTTY);
    expect(host.kvm.ioctl(host.vm, ZPCI_OP, new Uint8Array(71))).toBe(-EFAULT);
  });
});
