import { GENERIC_IOMMU, IommuGroups } from '@vfiokit/iommu';
import { MemoryBlock, type PciDevice } from '@vfiokit/pci';
import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { RESET_HOOKS } from '../../src/tokens.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';
import { bridge, Machine, type MachineOptions, openAdapter, words } from './fixture.js';

const EAGAIN = 11;
const EBUSY = 16;
const EINVAL = 22;
const ENOTTY = 25;
const CONFIG = 7;
const COMMAND = 0x04;
const RESET = 0x3b6f;
const HOT_RESET = 0x3b71;
const SET_IRQS = 0x3b6e;

/** Two functions on a bus behind a root port, with no way to be reset alone. */
function behindPort(options: MachineOptions = {}, sameGroup = true) {
  const machine = new Machine(options);
  const port = machine.add('0000:00:02.0', { base: bridge(1), description: { bars: [] } });
  const pdevs = [0, 1].map((fn) =>
    machine.add(`0000:01:00.${fn}`, {
      facts: { resetMethods: [] },
      config: [
        [0x0e, 1, 0x80],
        [0x74, 4, 0x8000],
      ],
    }),
  );
  const group = machine.container.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
  const bind = (pdev: PciDevice) =>
    sameGroup ? machine.bind(pdev, undefined, group) : machine.bind(pdev);
  return { machine, port, pdevs, bind };
}

/** How often a bus was reset: by its bridge's control register. */
function busResets(machine: Machine, port: PciDevice): number {
  return machine.trace(port).log.filter((access) => /^W16@3e=0*40$/.test(access)).length;
}

describe('VFIO_DEVICE_RESET', () => {
  it('[core:C6.1] takes mappings away and lets them come back', () => {
    const resets: string[] = [];
    const block = new MemoryBlock(0x10000);
    block.write(0, 4, 0x12345678);
    using adapter = openAdapter({
      description: {
        bars: [{ kind: 'memory', size: 0x10000, block }],
        onReset: (kind) => resets.push(kind),
      },
    });
    const mapping = adapter.device.mmap({ position: 0, length: 4096, shared: true });
    if (typeof mapping === 'number') throw new RangeError(`mmap: ${mapping}`);
    expect(mapping.load(0, 4)).toBe(0x12345678);
    // Pages that are there stay there when memory is turned off behind the driver's back; taken away, they do not come back.
    const zapped: (number | 'SIGBUS')[] = [];
    const vconfig = adapter.core.opened!.config.vconfig;
    adapter.pdev.resetHooks = {
      prepare: () => {
        vconfig[COMMAND]! &= ~2;
        zapped.push(mapping.load(0, 4));
        vconfig[COMMAND]! |= 2;
      },
    };
    resets.length = 0;
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect([resets, zapped]).toEqual([['flr'], ['SIGBUS']]);
    expect(mapping.load(0, 4)).toBe(0x12345678);
  });

  it('[core:C6.3] gives up if somebody holds the device lock', () => {
    let held = false;
    using adapter = openAdapter({ platform: { lockHeld: () => held } });
    held = true;
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(-EAGAIN);
    held = false;
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
  });

  it('tells a derived driver before and after', () => {
    const told: string[] = [];
    const driver: VfioPciDriver = {
      name: 'told-vfio-pci',
      ids: [],
      probe: (_pdev, container) =>
        container.register(RESET_HOOKS, {
          useValue: { prepare: () => told.push('prepare'), done: () => told.push('done') },
        }),
    };
    using adapter = openAdapter({ driver });
    told.length = 0;
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(told).toEqual(['prepare', 'done']);
  });

  it('[core:C6.4] keeps interrupts connected', () => {
    using adapter = openAdapter();
    let signals = 0;
    adapter.client.setIrqs({ index: 2, eventfds: [() => signals++] });
    adapter.device.ioctl(RESET, 0, adapter.process);
    adapter.device.write(CONFIG, COMMAND, 2, 0x0006);
    expect(adapter.pdev.function.raise(0)).toBe(true);
    expect(signals).toBe(1);
  });

  it('[core:C4.103] leaves virtual BARs as they are', () => {
    using adapter = openAdapter();
    adapter.device.write(CONFIG, 0x10, 4, 0xdead0000);
    adapter.device.ioctl(RESET, 0, adapter.process);
    expect(adapter.device.read(CONFIG, 0x10, 4)).toBe(0xdead0000);
  });

  it('[core:C6.20] happens with the function switched off', () => {
    using adapter = openAdapter();
    adapter.trace.take();
    adapter.device.ioctl(RESET, 0, adapter.process);
    const log = adapter.trace.take();
    const off = log.indexOf('W16@4=0400');
    const flr = log.findIndex((access) => /^W16@78=[89a-f]/.test(access));
    expect(off).toBeGreaterThan(-1);
    expect(flr).toBeGreaterThan(off);
    expect(log.slice(off + 1, flr).some((access) => access.startsWith('W16@4='))).toBe(false);
  });

  it('[core:C6.19] tries methods in order: ENOTTY goes on, other errors stop', () => {
    const tried: string[] = [];
    let answers: Record<string, number> = {};
    const method = (name: string) => ({
      name,
      probe: () => 0,
      reset: () => {
        tried.push(name);
        return answers[name] ?? 0;
      },
    });
    using adapter = openAdapter({
      platform: { resetMethod: (_device, name) => method(name) },
      facts: { resetMethods: ['device_specific', 'acpi', 'cxl_bus'] },
    });
    const reset = (next: Record<string, number>) => {
      answers = next;
      tried.length = 0;
      return adapter.device.ioctl(RESET, 0, adapter.process);
    };
    expect(reset({ device_specific: -ENOTTY })).toBe(0);
    expect(tried).toEqual(['device_specific', 'acpi']);
    expect(reset({ device_specific: -EINVAL })).toBe(-EINVAL);
    expect(tried).toEqual(['device_specific']);
    expect(reset({ device_specific: -ENOTTY, acpi: -ENOTTY, cxl_bus: -ENOTTY })).toBe(-ENOTTY);
  });

  it('holds the device lock, which whoever is called back from within it finds taken', () => {
    using adapter = openAdapter();
    const seen: number[] = [];
    adapter.pdev.resetHooks = {
      prepare: () => seen.push(adapter.device.ioctl(RESET, 0, adapter.process)),
    };
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(seen).toEqual([-EAGAIN]);
  });

  it('[core:C6.18] is noticed by the next write of COMMAND if somebody else made it', () => {
    using adapter = openAdapter();
    const { config } = adapter.pdev.function;
    const bar = config.peek32(0x10);
    adapter.pdev.function.reset('flr');
    expect(config.peek32(0x10)).toBe(0);
    adapter.device.write(CONFIG, COMMAND, 2, 0x0006);
    expect(config.peek32(0x10)).toBe(bar);
  });
});

describe('VFIO_DEVICE_PCI_HOT_RESET', () => {
  const hotReset = (
    device: { ioctl(c: number, a: Uint8Array, p: never): number },
    process: unknown,
    ...fds: number[]
  ) => device.ioctl(HOT_RESET, words(12 + 4 * fds.length, 0, fds.length, ...fds), process as never);

  it('[core:C6.5] wants everything on the bus to be bound to us', () => {
    const { machine, pdevs, bind } = behindPort();
    const core = bind(pdevs[0]!);
    const group = machine.openGroup(core);
    const fd = machine.process.fds.install(group);
    const device = machine.open(core, group);
    expect(hotReset(device, machine.process, fd)).toBe(-EINVAL);
    bind(pdevs[1]!);
    expect(hotReset(device, machine.process, fd)).toBe(0);
  });

  it('[core:C6.6] wants the group of every member', () => {
    const { machine, pdevs, bind } = behindPort({}, false);
    const cores = pdevs.map(bind);
    const groups = cores.map((core) => machine.openGroup(core));
    const fds = groups.map((group) => machine.process.fds.install(group));
    const device = machine.open(cores[0]!, groups[0]!);
    expect(hotReset(device, machine.process, fds[0]!)).toBe(-EINVAL);
    expect(hotReset(device, machine.process, ...fds)).toBe(0);
  });

  it('knows no flags', () => {
    const { machine, pdevs, bind } = behindPort();
    const [core] = pdevs.map(bind);
    const group = machine.openGroup(core!);
    const fd = machine.process.fds.install(group);
    const device = machine.open(core!, group);
    const ask = (flags: number) =>
      device.ioctl(HOT_RESET, words(16, flags, 1, fd), machine.process);
    expect(ask(1)).toBe(-EINVAL);
    expect(ask(0)).toBe(0);
  });

  it('[core:C6.7] gives up if a member is busy with its memory', () => {
    const { machine, port, pdevs, bind } = behindPort();
    const [first, second] = pdevs.map(bind);
    const group = machine.openGroup(first!);
    const fd = machine.process.fds.install(group);
    const device = machine.open(first!, group);
    second!.memoryLock.tryTake();
    const before = busResets(machine, port);
    expect(hotReset(device, machine.process, fd)).toBe(-EBUSY);
    expect(busResets(machine, port)).toBe(before);
    expect(first!.memoryLock.held).toBe(false);
    second!.memoryLock.release();
    expect(hotReset(device, machine.process, fd)).toBe(0);
    expect(busResets(machine, port)).toBe(before + 1);
  });

  it('[core:C6.8] wakes every member first', () => {
    const { machine, pdevs, bind } = behindPort();
    const [first, second] = pdevs.map(bind);
    const group = machine.openGroup(first!);
    const fd = machine.process.fds.install(group);
    const devices = [first!, second!].map((core) => machine.open(core, group));
    for (const device of devices) device.write(CONFIG, 0x44, 2, 3);
    expect(pdevs.map(({ currentState }) => currentState)).toEqual([3, 3]);
    const states: number[][] = [];
    const look = () => states.push(pdevs.map(({ currentState }) => currentState));
    pdevs[0]!.resetHooks = { prepare: look };
    expect(hotReset(devices[0]!, machine.process, fd)).toBe(0);
    // Nobody is told of the reset before all are awake.
    expect(states).toEqual([[0, 0]]);
  });

  it('[core:C6.9] prefers the slot where it can be reset', () => {
    const slots: string[] = [];
    const { machine, port, pdevs, bind } = behindPort({
      platform: {
        probeSlotReset: () => 0,
        resetSlot: (device) => {
          slots.push(device.name);
          return 0;
        },
      },
    });
    const cores = pdevs.map(bind);
    const group = machine.openGroup(cores[0]!);
    const fd = machine.process.fds.install(group);
    const device = machine.open(cores[0]!, group);
    expect(hotReset(device, machine.process, fd)).toBe(0);
    expect(slots).toEqual(['0000:01:00.0']);
    expect(busResets(machine, port)).toBe(0);
  });
});

describe('the last close', () => {
  it('[core:C6.13] resets the bus if the function could not be reset alone', () => {
    const { machine, port, pdevs, bind } = behindPort();
    const cores = pdevs.map(bind);
    const device = machine.open(cores[0]!);
    device.close();
    expect(busResets(machine, port)).toBe(1);
    expect(cores[0]!.needsReset).toBe(false);
  });

  it('[core:C6.14 core:C6.15] leaves that to whoever closes last', () => {
    const { machine, port, pdevs, bind } = behindPort();
    const cores = pdevs.map(bind);
    const group = machine.openGroup(cores[0]!);
    const [first, second] = cores.map((core) => machine.open(core, group));
    first!.close();
    expect(busResets(machine, port)).toBe(0);
    expect(cores[0]!.needsReset).toBe(true);
    second!.close();
    expect(busResets(machine, port)).toBe(1);
    expect(cores.map(({ needsReset }) => needsReset)).toEqual([false, false]);
  });

  it('[core:C5.48] drops the eventfds for errors and release requests', () => {
    using machine = new Machine();
    const core = machine.bind(machine.add('0000:00:03.0'));
    const device = machine.open(core);
    const event = new EventFd();
    const fd = machine.process.fds.install(event);
    for (const index of [3, 4])
      device.ioctl(SET_IRQS, words(24, 4 | 32, index, 0, 1, fd), machine.process);
    core.request();
    expect(event.take()).toBe(1);
    device.close();
    core.request();
    expect([core.err.armed, core.req.armed, event.count]).toEqual([false, false, 0]);
  });
});

describe('an error that AER reports', () => {
  it('[core:C6.16 core:C6.17] is told to whoever asked, and can be recovered from in any case', () => {
    using adapter = openAdapter();
    const report = () => adapter.core.errorDetected();
    expect(report()).toBe('can recover');
    let errors = 0;
    adapter.client.setIrqs({ index: 3, eventfds: [() => errors++] });
    expect(report()).toBe('can recover');
    expect(errors).toBe(1);
    adapter.pdev.resetHooks?.errorDetected?.('fatal');
    expect(errors).toBe(2);
  });
});
