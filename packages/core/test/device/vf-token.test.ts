import { VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { VfioPciCoreDevice } from '../../src/core-device.js';
import { ioctl, Machine, type MachineOptions, SRIOV, words } from './fixture.js';

const EBUSY = 16;
const FEATURE = 0x3b75;
const SET_VF_TOKEN = 0x20000;
const GET_DEVICE_FD = 0x3b6a;
const ENODEV = 19;
const EINVAL = 22;

const SECRET = '00112233-4455-6677-8899-aabbccddeeff';
const SECRET_WORDS = [0x33221100, 0x77665544, 0xbbaa9988, 0xffeeddcc] as const;
const OTHER = '11111111-1111-1111-1111-111111111111';

/** A PF with two VFs, all bound, each in a group that is open. */
function family(options: MachineOptions = {}) {
  const machine = new Machine({
    parameters: { enable_sriov: true },
    randomToken: () => new Uint8Array(16).fill(0xab),
    ...options,
  });
  const pf = machine.bind(machine.add('0000:00:03.0', { config: SRIOV }));
  machine.vfio.setNumVfs(pf, 2);
  const [vf, sibling] = pf.pdev.virtualFunctions.map((pdev) => machine.bind(pdev)) as [
    VfioPciCoreDevice,
    VfioPciCoreDevice,
  ];
  const groups = new Map([pf, vf, sibling].map((core) => [core, machine.openGroup(core)]));
  /** Opens with a token or without: the device, or the error's name. */
  const open = (core: VfioPciCoreDevice, token?: string) => {
    const text = token === undefined ? core.name : `${core.name} vf_token=${token}`;
    return groups.get(core)!.getDevice(text, machine.process);
  };
  const attempt = (core: VfioPciCoreDevice, token?: string) => {
    try {
      open(core, token).close();
      return 'opened';
    } catch (error) {
      return error instanceof VfioError ? error.code : String(error);
    }
  };
  const fd = (core: VfioPciCoreDevice, options: string) => {
    const text = new TextEncoder().encode(`${core.name} ${options}\0`);
    return groups.get(core)!.ioctl(GET_DEVICE_FD, text, machine.process);
  };
  return { machine, pf, vf, sibling, open, attempt, fd };
}

describe('a VF of ours', () => {
  it('[core:C9.10] opens with the token of its PF', () => {
    const { pf, vf, open, attempt } = family();
    open(pf, SECRET);
    expect(attempt(vf)).toBe('EACCES');
    expect(attempt(vf, OTHER)).toBe('EACCES');
    expect(attempt(vf, SECRET)).toBe('opened');
  });

  it('[core:C9.10] opens with a token that nobody knows while nobody has set one', () => {
    const { vf, attempt } = family();
    expect(attempt(vf)).toBe('EACCES');
    expect(attempt(vf, 'abababab-abab-abab-abab-abababababab')).toBe('opened');
  });

  it('[core:C9.16] wants the token that its PF had when it was closed', () => {
    const { pf, vf, open, attempt } = family();
    open(pf, SECRET).close();
    expect(attempt(vf)).toBe('EACCES');
    expect(attempt(vf, OTHER)).toBe('EACCES');
    expect(attempt(vf, SECRET)).toBe('opened');
  });

  it('[core:C2.65] opens with one token, right as two of them may be', () => {
    const { machine, pf, vf, open, fd } = family();
    open(pf, SECRET);
    expect(fd(vf, `vf_token=${SECRET} vf_token=${SECRET}`)).toBe(-EINVAL);
    expect(fd(vf, `vf_token=${SECRET} foo`)).toBe(-EINVAL);
    expect(machine.process.fds.get(fd(vf, `vf_token=${SECRET}`))).toBeDefined();
  });

  it('wants the token for every descriptor', () => {
    const { pf, vf, open, attempt } = family();
    open(pf, SECRET);
    open(vf, SECRET);
    expect(attempt(vf)).toBe('EACCES');
    expect(attempt(vf, SECRET)).toBe('opened');
  });
});

describe('a PF', () => {
  it('[core:C9.12] takes a token over while no VF is open', () => {
    const { pf, vf, attempt } = family();
    expect(attempt(pf, SECRET)).toBe('opened');
    expect(attempt(pf)).toBe('opened');
    expect(attempt(vf, SECRET)).toBe('opened');
    expect(attempt(pf, OTHER)).toBe('opened');
    expect(attempt(vf, SECRET)).toBe('EACCES');
  });

  it('[core:C9.13] opens with its token only while a VF is open', () => {
    const { pf, vf, open, attempt } = family();
    attempt(pf, SECRET);
    const device = open(vf, SECRET);
    expect(attempt(pf)).toBe('EACCES');
    expect(attempt(pf, OTHER)).toBe('EACCES');
    expect(attempt(pf, SECRET)).toBe('opened');
    device.close();
    expect(attempt(pf)).toBe('opened');
  });

  it('counts VFs, not descriptors', () => {
    const { pf, vf, sibling, open } = family();
    open(pf, SECRET);
    const devices = [open(vf, SECRET), open(vf, SECRET), open(sibling, SECRET)];
    expect(pf.vfToken!.users).toBe(2);
    for (const device of devices) device.close();
    expect(pf.vfToken!.users).toBe(0);
  });

  it('[core:C9.17] changes its token while VFs are open (quirk W20)', () => {
    const { machine, pf, vf, sibling, open, attempt } = family();
    const device = open(pf, OTHER);
    open(vf, OTHER);
    const set = () => ioctl(device, machine.process, FEATURE, 24, SET_VF_TOKEN, ...SECRET_WORDS)[0];
    expect(set()).toBe(0);
    expect(attempt(sibling, OTHER)).toBe('EACCES');
    expect(attempt(sibling, SECRET)).toBe('opened');
    expect(attempt(pf, SECRET)).toBe('opened');
  });

  it('copies the token: what its user does to the argument later is no matter', () => {
    const { machine, pf, open } = family();
    const device = open(pf);
    const argument = words(24, SET_VF_TOKEN, ...SECRET_WORDS);
    expect(device.ioctl(FEATURE, argument, machine.process)).toBe(0);
    argument.fill(0);
    expect([...pf.vfToken!.uuid.subarray(0, 3)]).toEqual([0x00, 0x11, 0x22]);
  });

  it('keeps its token while VFs are open where quirk W20 is mended', () => {
    const { machine, pf, vf, open, attempt } = family({ quirks: { tokenHeldWhileInUse: true } });
    const device = open(pf, OTHER);
    const user = open(vf, OTHER);
    const set = () => ioctl(device, machine.process, FEATURE, 24, SET_VF_TOKEN, ...SECRET_WORDS)[0];
    expect(set()).toBe(-EBUSY);
    expect(attempt(vf, OTHER)).toBe('opened');
    user.close();
    expect(set()).toBe(0);
    expect(attempt(vf, SECRET)).toBe('opened');
  });
});

describe('everything else', () => {
  it('[core:C9.11] a VF of a PF whose VFs somebody else made has no token', () => {
    const machine = new Machine();
    const pdev = machine.add('0000:00:03.0', { config: SRIOV });
    pdev.sriov!.enable(1);
    const vf = machine.bind(pdev.virtualFunctions[0]!);
    const group = machine.openGroup(vf);
    const token = `${vf.name} vf_token=${SECRET}`;
    expect(() => group.getDevice(token, machine.process)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(group.getDevice(vf.name, machine.process).read(7, 0x0e, 1)).toBe(0);
  });

  it('[core:C9.14 core:C2.65] a function without SR-IOV has none', () => {
    const machine = new Machine();
    const core = machine.bind(machine.add('0000:00:03.0'));
    const group = machine.openGroup(core);
    const fd = (text: string) =>
      group.ioctl(GET_DEVICE_FD, new TextEncoder().encode(`${text}\0`), machine.process);
    expect(fd(`0000:00:03.0 vf_token=${SECRET}`)).toBe(-EINVAL);
    expect(fd('0000:00:03.0 foo')).toBe(-EINVAL);
    expect(fd('0000:00:03.0x')).toBe(-ENODEV);
    expect(fd(`0000:00:03.0 vf_token=${SECRET} vf_token=${SECRET}`)).toBe(-EINVAL);
    expect(fd('0000:00:03.0 ')).toBeGreaterThan(0);
  });
});
