import type { PciDevice } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { OPS_NAME } from '../../src/tokens.js';
import { bridge, ioctl, Machine, type MachineOptions, SRIOV } from './fixture.js';

const EBUSY = 16;
const EINVAL = 22;
const ENOENT = 2;
const ENOMEM = 12;
const ERANGE = 34;
const HOT_RESET = 0x3b71;
const D0 = 0;
const D3_HOT = 3;

/** A PF with room for four VFs, bound. */
function withPf(options: MachineOptions = {}, driver?: string) {
  const machine = new Machine({ parameters: { enable_sriov: true }, ...options });
  const pdev = machine.add('0000:00:03.0', { config: SRIOV });
  const pf = machine.bind(pdev, driver);
  return {
    machine,
    pf,
    pdev,
    setNumVfs: (count: number) => machine.vfio.setNumVfs(pf, count),
    /** The names of the VFs that there are. */
    vfs: () => pdev.virtualFunctions.map(({ name }) => name),
    [Symbol.dispose]: () => machine[Symbol.dispose](),
  };
}

describe('sriov_numvfs', () => {
  it('makes VFs, and takes them away', () => {
    using host = withPf();
    expect(host.setNumVfs(2)).toBe(2);
    expect(host.vfs()).toEqual(['0000:00:03.1', '0000:00:03.2']);
    expect(host.setNumVfs(0)).toBe(0);
    expect(host.vfs()).toEqual([]);
    expect(host.setNumVfs(4)).toBe(4);
  });

  it('[core:C9.8] is ENOENT while enable_sriov is off, also to take VFs away (quirk W21)', () => {
    using host = withPf({ parameters: {} });
    expect(host.setNumVfs(2)).toBe(-ENOENT);
    host.machine.vfio.parameters.enable_sriov = true;
    host.setNumVfs(2);
    host.machine.vfio.parameters.enable_sriov = false;
    expect(host.setNumVfs(0)).toBe(-ENOENT);
    expect(host.vfs()).toHaveLength(2);
  });

  it('takes VFs away while enable_sriov is off where quirk W21 is mended', () => {
    using host = withPf({ quirks: { sriovDisableAlways: true } });
    host.setNumVfs(2);
    host.machine.vfio.parameters.enable_sriov = false;
    expect(host.setNumVfs(0)).toBe(0);
    expect(host.setNumVfs(2)).toBe(-ENOENT);
  });

  it('[core:C9.18] is EBUSY while there are others', () => {
    using host = withPf();
    host.setNumVfs(4);
    expect(host.setNumVfs(2)).toBe(-EBUSY);
    expect(host.vfs()).toHaveLength(4);
  });

  it('[core:C9.18] asks nobody if nothing would change', () => {
    using host = withPf();
    host.setNumVfs(4);
    host.machine.vfio.parameters.enable_sriov = false;
    const trace = host.machine.trace(host.pdev);
    trace.take();
    expect(host.setNumVfs(4)).toBeGreaterThanOrEqual(0);
    expect(trace.take()).toEqual([]);
  });

  it('is ERANGE above what the function can have, EINVAL below nothing', () => {
    using host = withPf();
    expect(host.setNumVfs(5)).toBe(-ERANGE);
    expect(host.setNumVfs(-1)).toBe(-EINVAL);
    expect(host.setNumVfs(1.5)).toBe(-EINVAL);
  });

  it('is ENOENT for a driver that has no SR-IOV, and for a function without', () => {
    using host = withPf({ drivers: [{ name: 'plain-vfio-pci', ids: [{}] }] }, 'plain-vfio-pci');
    expect(host.setNumVfs(1)).toBe(-ENOENT);
    const other = host.machine.bind(host.machine.add('0000:00:04.0'));
    expect(host.machine.vfio.setNumVfs(other, 1)).toBe(-ENOENT);
  });

  it('changes nothing if the machine has no room', () => {
    using host = withPf({ platform: { enableVfs: () => -ENOMEM } });
    const { usage } = host.pdev.runtimePm;
    expect(host.setNumVfs(2)).toBe(-ENOMEM);
    expect(host.vfs()).toEqual([]);
    expect(host.pdev.runtimePm.usage).toBe(usage);
    expect(host.pf.sriovActive).toBe(false);
    // The PF is not listed either, or this would be EINVAL.
    expect(host.setNumVfs(2)).toBe(-ENOMEM);
  });

  it('changes nothing if the PF does not wake up', () => {
    let stuck = false;
    using host = withPf({ platform: { resume: () => (stuck ? -ENOMEM : 0) } });
    stuck = true;
    expect(host.setNumVfs(2)).toBe(-ENOMEM);
    expect(host.vfs()).toEqual([]);
    stuck = false;
    expect(host.setNumVfs(2)).toBe(2);
  });
});

describe('a PF with VFs', () => {
  it('stays awake', () => {
    using host = withPf();
    expect(host.pdev.runtimePm.suspended).toBe(true);
    host.setNumVfs(1);
    expect(host.pdev.runtimePm.suspended).toBe(false);
    host.setNumVfs(0);
    expect(host.pdev.runtimePm.suspended).toBe(true);
  });

  it('[core:C9.19] comes out of D3hot first', () => {
    using host = withPf();
    const device = host.machine.open(host.pf);
    device.write(7, 0x44, 2, D3_HOT);
    expect(host.pdev.currentState).toBe(D3_HOT);
    expect(host.setNumVfs(1)).toBe(1);
    expect(host.pdev.currentState).toBe(D0);
  });

  it('[core:C4.50] stays in D0 whatever its user writes to PMCSR', () => {
    using host = withPf();
    const device = host.machine.open(host.pf);
    host.setNumVfs(1);
    expect(device.write(7, 0x44, 2, D3_HOT)).toBe(2);
    expect(host.pdev.currentState).toBe(D0);
    host.setNumVfs(0);
    device.write(7, 0x44, 2, D3_HOT);
    expect(host.pdev.currentState).toBe(D3_HOT);
  });

  it('[core:C9.20] loses them when it is unbound', () => {
    using host = withPf();
    host.setNumVfs(2);
    host.machine.vfio.unbind(host.pf);
    expect(host.vfs()).toEqual([]);
    expect(host.pdev.sriov!.numVfs).toBe(0);
    // One reason to stay awake is what every unbound function has.
    expect(host.pdev.runtimePm.usage).toBe(1);
  });
});

describe('VFs that appear', () => {
  function overrides(options: MachineOptions = {}, driver?: string): [string, string][] {
    const all: [string, string][] = [];
    const overrideDriver = (vf: PciDevice, name: string) => all.push([vf.name, name]);
    using host = withPf({ ...options, overrideDriver }, driver);
    host.setNumVfs(2);
    return all;
  }

  it('[core:C9.9] are told to take the driver of their PF', () => {
    expect(overrides()).toEqual([
      ['0000:00:03.1', 'vfio-pci'],
      ['0000:00:03.2', 'vfio-pci'],
    ]);
  });

  it('[core:C9.9] are told the name of its operations, where that differs', () => {
    const drivers = [
      {
        name: 'own_vfio_pci',
        ids: [{}],
        sriov: true,
        probe: (_pdev: PciDevice, container: Machine['container']) =>
          container.register(OPS_NAME, { useValue: 'own-vfio-pci' }),
      },
    ];
    expect(overrides({ drivers }, 'own_vfio_pci')[0]).toEqual(['0000:00:03.1', 'own-vfio-pci']);
  });

  it('have no SR-IOV of their own', () => {
    using host = withPf();
    host.setNumVfs(1);
    const vf = host.machine.bind(host.pdev.virtualFunctions[0]!);
    expect(host.machine.vfio.setNumVfs(vf, 1)).toBe(-ENOENT);
  });
});

describe('a VF on a bus with others', () => {
  it('[core:C6.10] can not reset that bus', () => {
    using machine = new Machine({ parameters: { enable_sriov: true } });
    machine.add('0000:00:01.0', { base: bridge(1), description: { bars: [] } });
    const pf = machine.bind(machine.add('0000:01:00.0', { config: SRIOV }));
    const { iommuGroup } = pf;
    // A VF of a PF whose VFs somebody else made needs no token.
    pf.pdev.sriov!.enable(1);
    const vf = machine.bind(pf.pdev.virtualFunctions[0]!, undefined, iommuGroup);
    const group = machine.openGroup(pf);
    const device = machine.open(vf, group);
    const fd = machine.process.fds.install(group);
    expect(ioctl(device, machine.process, HOT_RESET, 16, 0, 1, fd)[0]).toBe(-EINVAL);
  });
});
