import { openFunction, type VfioPciDriver } from '@vfiokit/core';
import { describePlatformHook } from '@vfiokit/testing';
import { DeviceClient, findCapability, VfioError, zpciBaseCapability } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { KvmZpci, registerZpci, type ZpciFunction, ZpciHook } from '../src/index.js';
import { recordedFunction, recordedPciDevice } from './recorded-function.js';

const ENOENT = 2;
const ENODEV = 19;

function hookFor(zdev: ZpciFunction | undefined, kvm?: KvmZpci): ZpciHook {
  const host = root.createChildContainer();
  registerZpci(host, { functions: () => zdev, ...(kvm && { kvm }) });
  return host.resolve(ZpciHook);
}

describePlatformHook('zPCI', () => ({
  hook: hookFor(recordedFunction()),
  pdev: recordedPciDevice(),
}));

describe('zPCI under a VFIO device', () => {
  const pdev = recordedPciDevice();
  const ids = (driver?: VfioPciDriver) => {
    using opened = openFunction(recordedPciDevice(), {
      ...(driver && { driver }),
      kernel: { intx: false },
      register: (host) => registerZpci(host, { functions: () => recordedFunction() }),
    });
    using client = new DeviceClient(opened.device, opened.process);
    return client.info().capabilities.map(({ id }) => id);
  };

  it('shows its entries in GET_INFO', () => {
    expect(ids()).toEqual([1, 2, 4]);
  });

  it('[derived:90] shows them under derived drivers too', () => {
    expect(ids({ name: 'some-variant', ids: [{}] })).toEqual([1, 2, 4]);
  });

  it('[derived:80] tells nothing of a function without companion, and does not let it be opened', () => {
    const hook = hookFor(undefined);
    expect(hook.infoCapabilities(pdev)).toBe(-ENODEV);
    expect(hook.open(pdev, undefined)).toBe(-ENODEV);
    const open = () =>
      openFunction(recordedPciDevice(), {
        register: (host) => registerZpci(host, { functions: () => undefined }),
      });
    expect(open).toThrow(VfioError);
    expect(open).toThrow(expect.objectContaining({ code: 'ENODEV' }));
  });

  it('[derived:81] opens without a virtual machine and registers nothing', () => {
    const kvm = new KvmZpci();
    const zdev = recordedFunction();
    expect(hookFor(zdev, kvm).open(pdev, undefined)).toBe(0);
    expect(zdev.kzdev).toBeUndefined();
  });

  it('[derived:85 derived:86] has another handle while a virtual machine has it, as GET_INFO tells', () => {
    const kvm = new KvmZpci();
    const vm = {};
    kvm.addVm(vm, { gisa: 0x8000, page: () => undefined });
    const zdev = recordedFunction();
    const pci = recordedPciDevice();
    using opened = openFunction(pci, {
      kernel: { intx: false },
      register: (host) => registerZpci(host, { functions: () => zdev, kvm }),
    });
    const { group, process } = opened;
    opened.device.close();
    group.group.kvm = vm;
    /** Opens the device for the virtual machine, and says which handle its user gets. */
    const handle = () => {
      const device = group.getDevice(pci.name, process);
      expect(kvm.functions(vm)).toEqual([zdev]);
      const { capabilities } = new DeviceClient(device, process).info();
      device.close();
      return findCapability(capabilities, zpciBaseCapability)!.fh;
    };
    const before = zdev.fh;
    const first = handle();
    expect(first).not.toBe(before);
    expect([zdev.gisa, zdev.enabled, kvm.functions(vm)]).toEqual([0, true, []]);
    expect(zdev.fh).not.toBe(first);
    expect(handle()).not.toBe(first);
  });

  it("[derived:82] is -ENOENT with a virtual machine but without KVM's side", () => {
    expect(hookFor(recordedFunction()).open(pdev, {})).toBe(-ENOENT);
  });

  it('gives the function to the virtual machine at open and takes it back at close', () => {
    const kvm = new KvmZpci();
    const vm = {};
    kvm.addVm(vm, { gisa: 0x8000, page: () => undefined });
    const zdev = recordedFunction();
    const hook = hookFor(zdev, kvm);
    expect(hook.open(pdev, vm)).toBe(0);
    expect(kvm.functions(vm)).toEqual([zdev]);
    hook.close(pdev, vm);
    expect(kvm.functions(vm)).toEqual([]);
  });
});
