import { MemoryBlock } from '@vfiokit/pci';
import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { Machine, openAdapter, type Registers } from './fixture.js';

const EIO = 5;
const EINVAL = 22;
const CONFIG = 7;
const COMMAND = 0x04;
const PMCSR = 0x44;
const GET_INFO = 0x3b6b;
const SET_IRQS = 0x3b6e;
const RESET = 0x3b6f;
const FEATURE = 0x3b75;
const SET = 0x20000;
const ENTRY = 3;
const ENTRY_WITH_WAKEUP = 4;
const EXIT = 5;

/** No_Soft_Reset is 0: the function forgets its registers in D3hot. */
const FORGETFUL: Registers = [[0x44, 2, 0x0000]];
/** Only D0 and D3hot. */
const NO_D1: Registers = [[0x42, 2, 0x0003]];

/** BAR 0 with 0x12345678 at its start. */
function known(): MemoryBlock {
  const block = new MemoryBlock(0x10000);
  block.write(0, 4, 0x12345678);
  return block;
}
const withKnownBar = () => ({
  bars: [{ kind: 'memory' as const, size: 0x10000, block: known() }],
});

const feature = (number: number, ...data: number[]) => [8 + 4 * data.length, SET | number, ...data];

describe('the D-state that a user asks for', () => {
  it('[core:C4.46 core:C4.47] keeps memory out of reach in D3hot, and gives it back in D0', () => {
    using adapter = openAdapter({ description: withKnownBar() });
    const { device, pdev } = adapter;
    expect(device.read(0, 0, 4)).toBe(0x12345678);
    expect(device.write(CONFIG, PMCSR, 2, 3)).toBe(2);
    expect([pdev.currentState, pdev.function.powerState]).toEqual([3, 3]);
    expect(device.read(0, 0, 4)).toBe(-EIO);
    device.write(CONFIG, PMCSR, 2, 0);
    expect([pdev.currentState, pdev.function.powerState]).toEqual([0, 0]);
    expect(device.read(0, 0, 4)).toBe(0x12345678);
  });

  it('[core:C4.49] stays as it is where the function lacks the state', () => {
    using adapter = openAdapter({ config: NO_D1 });
    expect(adapter.device.write(CONFIG, PMCSR, 2, 1)).toBe(2);
    expect(adapter.pdev.currentState).toBe(0);
  });

  it('[core:C7.14] is not left for a shallower sleep', () => {
    using adapter = openAdapter();
    adapter.device.write(CONFIG, PMCSR, 2, 3);
    adapter.device.write(CONFIG, PMCSR, 2, 1);
    expect(adapter.pdev.currentState).toBe(3);
  });

  it('[core:C4.51] costs a forgetful function its registers, which come back in D0', () => {
    using adapter = openAdapter({ config: FORGETFUL });
    const { device, pdev } = adapter;
    device.write(CONFIG, 0x0c, 1, 0x10);
    device.write(CONFIG, PMCSR, 2, 3);
    pdev.function.config.poke(0x0c, Uint8Array.of(0));
    device.write(CONFIG, PMCSR, 2, 0);
    expect(pdev.function.config.bytes[0x0c]).toBe(0x10);
    expect(pdev.function.config.peek16(COMMAND) & 2).toBe(2);
  });

  it('[core:C4.104] leaves configuration space within reach', () => {
    using adapter = openAdapter();
    adapter.device.write(CONFIG, PMCSR, 2, 3);
    expect(adapter.device.read(CONFIG, 0, 4)).toBe(0x10d38086);
    expect(adapter.device.read(CONFIG, 0x08, 4)).toBe(0x02000000);
  });

  it('[core:C5.28] forbids messages in D3hot', () => {
    using adapter = openAdapter();
    const enable = () => adapter.ioctl(SET_IRQS, 24, 4 | 32, 1, 0, 1, 0xffffffff)[0];
    adapter.device.write(CONFIG, PMCSR, 2, 3);
    expect(enable()).toBe(-EINVAL);
    adapter.device.write(CONFIG, PMCSR, 2, 0);
    expect(enable()).toBe(0);
  });

  it('[core:C6.2] ends with a reset', () => {
    using adapter = openAdapter({ description: withKnownBar() });
    adapter.device.write(CONFIG, PMCSR, 2, 3);
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(adapter.pdev.currentState).toBe(0);
    expect(adapter.device.read(0, 0, 4)).toBe(0x12345678);
  });
});

describe('a bound device', () => {
  it('[core:C7.1] sleeps until it is opened, unless that is disabled', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    const core = machine.bind(pdev);
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 3]);
    const device = machine.open(core);
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([false, 0]);
    device.close();
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 3]);
    using awake = new Machine({ parameters: { disable_idle_d3: true } });
    const other = awake.add('0000:00:03.0');
    awake.bind(other);
    expect(other.runtimePm.suspended).toBe(false);
  });

  it('[core:C7.12] keeps the parameter that it was bound with', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    const core = machine.bind(pdev);
    machine.vfio.parameters.disable_idle_d3 = true;
    machine.open(core).close();
    expect(pdev.runtimePm.suspended).toBe(true);
  });

  it('[core:C1.34] answers EIO if it can not be woken', () => {
    let broken = false;
    using adapter = openAdapter({ platform: { resume: () => (broken ? -EIO : 0) } });
    adapter.ioctl(FEATURE, ...feature(ENTRY));
    broken = true;
    expect(adapter.device.read(CONFIG, 0, 4)).toBe(-EIO);
    expect(adapter.device.write(CONFIG, 0x0c, 1, 0)).toBe(-EIO);
    expect(adapter.device.pread(new Uint8Array(4), 7 * 2 ** 40)).toBe(-EIO);
    expect(adapter.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)[0]).toBe(-EIO);
    broken = false;
    expect(adapter.device.read(CONFIG, 0, 4)).toBe(0x10d38086);
  });
});

describe('low power', () => {
  it('[core:C7.2 core:C7.3] is entered once and left any time', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(FEATURE, ...feature(ENTRY))[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, ...feature(ENTRY))[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, ...feature(EXIT))[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, ...feature(EXIT))[0]).toBe(0);
  });

  it('[core:C7.5] is interrupted by an access for as long as that lasts', () => {
    let resumed = 0;
    const resume = () => {
      resumed += 1;
      return 0;
    };
    using adapter = openAdapter({ description: withKnownBar(), platform: { resume } });
    const { pdev, device } = adapter;
    adapter.ioctl(FEATURE, ...feature(ENTRY));
    const asleep = [true, 3];
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual(asleep);
    resumed = 0;
    for (const [access, answer] of [
      [() => device.read(CONFIG, 0, 4), 0x10d38086],
      [() => device.read(0, 0, 4), 0x12345678],
      [() => adapter.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)[0], 0],
    ] as const) {
      expect(access()).toBe(answer);
      expect(resumed).toBe(1);
      expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual(asleep);
      resumed = 0;
    }
  });

  it('[core:C7.6 core:C7.8] ends with the first access that finds the device asleep, if somebody wants to be told', () => {
    using adapter = openAdapter();
    const wakeup = new EventFd();
    const fd = adapter.process.fds.install(wakeup);
    adapter.ioctl(FEATURE, ...feature(ENTRY_WITH_WAKEUP, fd, 0));
    adapter.device.read(CONFIG, 0, 4);
    expect(wakeup.count).toBe(1);
    expect(adapter.pdev.runtimePm.suspended).toBe(false);
    adapter.device.read(CONFIG, 0, 4);
    expect(wakeup.count).toBe(1);
    expect(adapter.ioctl(FEATURE, ...feature(ENTRY))[0]).toBe(0);
  });

  it('[core:C7.7] tells nobody if the device never slept', () => {
    using adapter = openAdapter({ idlePolicy: 'deferred' });
    const wakeup = new EventFd();
    const fd = adapter.process.fds.install(wakeup);
    adapter.ioctl(FEATURE, ...feature(ENTRY_WITH_WAKEUP, fd, 0));
    adapter.ioctl(FEATURE, ...feature(EXIT));
    adapter.device.read(CONFIG, 0, 4);
    expect(wakeup.count).toBe(0);
  });

  it('[core:C7.4] keeps mappings from waking the device', () => {
    using adapter = openAdapter();
    const mapping = adapter.device.mmap({ position: 0, length: 4096, shared: true });
    if (typeof mapping === 'number') throw new RangeError(`mmap: ${mapping}`);
    expect(mapping.load(0, 4)).toBe(0xffffffff);
    adapter.ioctl(FEATURE, ...feature(ENTRY));
    expect(mapping.load(0, 4)).toBe('SIGBUS');
    expect(adapter.pdev.runtimePm.suspended).toBe(true);
    adapter.ioctl(FEATURE, ...feature(EXIT));
    expect(mapping.load(0, 4)).toBe(0xffffffff);
  });

  it('[core:C7.9] does not survive the last close', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    const core = machine.bind(pdev);
    const group = machine.openGroup(core);
    const first = group.getDevice(core.name, machine.process);
    first.ioctl(FEATURE, Uint8Array.of(8, 0, 0, 0, ENTRY, 0, 2, 0), machine.process);
    first.close();
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 3]);
    const second = group.getDevice(core.name, machine.process);
    expect(second.read(0, 0, 4)).toBe(0xffffffff);
    second.close();
  });

  it('[core:C7.13] starts from D0, whatever the user left', () => {
    using adapter = openAdapter({ description: withKnownBar() });
    const { device, pdev, trace } = adapter;
    device.write(CONFIG, PMCSR, 2, 3);
    trace.take();
    adapter.ioctl(FEATURE, ...feature(ENTRY));
    const states = trace.take().flatMap((access) => /^W16@44=(....)$/.exec(access)?.[1] ?? []);
    expect(states.map((state) => Number.parseInt(state, 16) & 3)).toEqual([0, 3]);
    expect([pdev.runtimePm.suspended, pdev.currentState]).toEqual([true, 3]);
    adapter.ioctl(FEATURE, ...feature(EXIT));
    expect(pdev.currentState).toBe(0);
    expect(device.read(0, 0, 4)).toBe(0x12345678);
  });

  it('[core:C7.10] masks INTx for its time, and only then unmasks it again', () => {
    for (const userMasks of [false, true]) {
      using adapter = openAdapter();
      const { pdev } = adapter;
      const disabled = () => (pdev.function.config.peek16(COMMAND) & 0x400) !== 0;
      adapter.client.setIrqs({ index: 0, eventfds: [() => {}] });
      if (userMasks) adapter.client.setIrqs({ index: 0, action: 'mask', count: 1 });
      adapter.ioctl(FEATURE, ...feature(ENTRY));
      expect(disabled()).toBe(true);
      adapter.ioctl(FEATURE, ...feature(EXIT));
      expect(disabled()).toBe(userMasks);
    }
  });

  it('[core:C7.11] leaves lent memory revoked after an eventfd has ended it', () => {
    using adapter = openAdapter();
    const wakeup = adapter.process.fds.install(new EventFd());
    const lent = lend(adapter);
    adapter.ioctl(FEATURE, ...feature(ENTRY_WITH_WAKEUP, wakeup, 0));
    expect(lent.revoked).toBe(true);
    adapter.device.read(CONFIG, 0, 4);
    expect(lent.revoked).toBe(true);
    adapter.ioctl(FEATURE, ...feature(EXIT));
    expect(lent.revoked).toBe(false);
  });
});

/** A page of BAR 0 as a dma-buf. */
function lend(adapter: ReturnType<typeof openAdapter>): { revoked: boolean } {
  const [fd] = adapter.ioctl(FEATURE, 40, 0x10000 | 11, 0, 0, 0, 1, 0, 0, 4096, 0);
  const file = adapter.process.fds.get(fd);
  if (file?.kind !== 'dma-buf') throw new RangeError(`dma-buf: ${fd}`);
  return file as unknown as { revoked: boolean };
}
