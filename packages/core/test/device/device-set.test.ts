import { describe, expect, it } from 'vitest';
import type { VfioPciCoreDevice } from '../../src/core-device.js';
import { bridge, Machine, type MachineOptions, SRIOV } from './fixture.js';

describe('the device set', () => {
  const names = (machine: Machine, address: string) =>
    machine.vfio.device(machine.topology.find(address)!)!.deviceSet.members.map(({ name }) => name);

  /** Two functions in one slot of bus 1, and one in another. */
  function behindPort(options?: MachineOptions): Machine {
    const machine = new Machine(options);
    machine.add('0000:00:01.0', { base: bridge(1), description: { bars: [] } });
    for (const name of ['0000:01:00.0', '0000:01:00.1', '0000:01:01.0'])
      machine.bind(machine.add(name, { config: [[0x0e, 1, 0x80]] }));
    return machine;
  }

  it('[core:C1.8] is the bus where there is no slot to reset, in order of registration', () => {
    using machine = behindPort();
    const all = ['0000:01:00.0', '0000:01:00.1', '0000:01:01.0'];
    for (const name of all) expect(names(machine, name)).toEqual(all);
  });

  it('is the slot where that can be reset', () => {
    using machine = behindPort({ platform: { probeSlotReset: () => 0 } });
    expect(names(machine, '0000:01:00.1')).toEqual(['0000:01:00.0', '0000:01:00.1']);
    expect(names(machine, '0000:01:01.0')).toEqual(['0000:01:01.0']);
  });

  it('[core:C1.9] is one device on a root bus', () => {
    using machine = new Machine();
    for (const name of ['0000:00:03.0', '0000:00:03.1']) machine.bind(machine.add(name));
    expect(names(machine, '0000:00:03.0')).toEqual(['0000:00:03.0']);
    expect(names(machine, '0000:00:03.1')).toEqual(['0000:00:03.1']);
  });

  it('[core:C1.9] is one device for a VF, whatever else is on its bus', () => {
    using machine = new Machine({ parameters: { enable_sriov: true } });
    machine.add('0000:00:01.0', { base: bridge(1), description: { bars: [] } });
    const pf = machine.bind(machine.add('0000:01:00.0', { config: SRIOV }));
    machine.vfio.setNumVfs(pf, 2);
    for (const vf of pf.pdev.virtualFunctions) machine.bind(vf);
    expect(names(machine, '0000:01:00.0')).toEqual(['0000:01:00.0']);
    expect(names(machine, '0000:01:00.1')).toEqual(['0000:01:00.1']);
    expect(names(machine, '0000:01:00.2')).toEqual(['0000:01:00.2']);
  });

  it('is left by a device that is unbound, and begins anew after the last one', () => {
    using machine = behindPort();
    const { vfio } = machine;
    const cores = ['0000:01:00.0', '0000:01:00.1', '0000:01:01.0'].map(
      (name) => vfio.device(machine.topology.find(name)!)!,
    );
    const [first, second, third] = cores as [VfioPciCoreDevice, ...VfioPciCoreDevice[]];
    const { deviceSet } = first;
    vfio.unbind(first);
    expect(names(machine, '0000:01:00.1')).toEqual(['0000:01:00.1', '0000:01:01.0']);
    vfio.unbind(third!);
    vfio.unbind(second!);
    expect(deviceSet.members).toEqual([]);
    expect(machine.bind(first.pdev).deviceSet).not.toBe(deviceSet);
  });

  it('is left by the device that joined it, even if its slot can not be reset any more', () => {
    let slot = 0;
    using machine = behindPort({ platform: { probeSlotReset: () => slot } });
    const core = machine.vfio.device(machine.topology.find('0000:01:01.0')!)!;
    const { deviceSet } = core;
    slot = -25;
    machine.vfio.unbind(core);
    expect(deviceSet.members).toEqual([]);
  });
});
