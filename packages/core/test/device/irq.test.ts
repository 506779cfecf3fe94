import { DeviceClient, EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { type Adapter, type AdapterOptions, openAdapter, type Registers } from './fixture.js';

const EINVAL = 22;
const ERANGE = 34;
const GET_IRQ_INFO = 0x3b6d;
const SET_IRQS = 0x3b6e;
const CONFIG = 7;
const COMMAND = 0x04;
const MEMORY = 0x0002;
const DIS_INTX = 0x0400;
const INTX = 0;
const MSI = 1;
const MSIX = 2;
const ERR = 3;
const REQ = 4;
const NONE_TRIGGER = 0x21;
const EVENTFD_TRIGGER = 0x24;

/** argsz, flags, index, count. */
const question = (index: number, argsz = 16) => [GET_IRQ_INFO, argsz, 7, index, 7] as const;

/** COMMAND as the function itself has it. */
const hardware = ({ pdev }: Adapter) => pdev.function.config.peek16(COMMAND);

const user = ({ device }: Adapter, command: number) => device.write(CONFIG, COMMAND, 2, command);

const nobody = () => {};

/** ADAPTER without its PCI Express capability: the chain goes on behind it. */
const CONVENTIONAL: Registers = [[0x50, 2, 0xb005]];

describe('VFIO_DEVICE_GET_IRQ_INFO', () => {
  it('[core:C2.18] knows five indexes and wants argsz to be 16 at least', () => {
    using adapter = openAdapter();
    for (const index of [5, 6, 0xffffffff])
      expect(adapter.ioctl(...question(index))).toEqual([-EINVAL, 16, 7, index, 7]);
    expect(adapter.ioctl(...question(REQ, 15))).toEqual([-EINVAL, 15, 7, REQ, 7]);
    expect(adapter.ioctl(...question(REQ, 17))[0]).toBe(0);
  });

  it('[core:C2.19 core:C2.21 core:C2.22 core:C2.23 core:C2.24] tells how many there are and what can be done with them', () => {
    using adapter = openAdapter({ platform: { msixDynamic: () => false } });
    const answers = [INTX, MSI, MSIX, ERR, REQ].map((index) => adapter.ioctl(...question(index)));
    expect(answers).toEqual([
      [0, 16, 7, INTX, 1],
      [0, 16, 9, MSI, 8],
      [0, 16, 9, MSIX, 8],
      [0, 16, 9, ERR, 1],
      [0, 16, 9, REQ, 1],
    ]);
    using dynamic = openAdapter();
    expect(dynamic.ioctl(...question(MSIX))).toEqual([0, 16, 1, MSIX, 8]);
  });

  it('[core:C2.23] knows no errors of a conventional function', () => {
    using adapter = openAdapter({ config: CONVENTIONAL, description: { configSize: 256 } });
    expect(adapter.ioctl(...question(ERR))[0]).toBe(-EINVAL);
    expect(adapter.ioctl(...question(MSIX))).toEqual([0, 16, 1, MSIX, 8]);
  });

  it.each<[string, AdapterOptions]>([
    ['has no interrupt for it', { facts: { irq: 0 } }],
    ['can not connect its interrupt', { facts: { irq: 0x80000000 } }],
    ['is built without INTx', { kernel: { intx: false } }],
    ['can not tell its interrupt from another', { config: [[0x00, 4, 0x15728086]] }],
  ])('[core:C4.11] knows no INTx of a function with a pin if the host %s', (_why, options) => {
    using adapter = openAdapter(options);
    expect(adapter.device.read(CONFIG, 0x3d, 1)).toBe(0);
    expect(adapter.pdev.config.read(0x3d, 1)).toBe(1);
    expect(adapter.ioctl(...question(INTX))).toEqual([0, 16, 7, INTX, 0]);
    expect(adapter.ioctl(SET_IRQS, 24, EVENTFD_TRIGGER, INTX, 0, 1, 0xffffffff)[0]).toBe(-EINVAL);
  });
});

describe('DisINTx', () => {
  const opened = () => {
    const adapter = openAdapter();
    const mask = () => adapter.client.setIrqs({ index: INTX, action: 'mask', count: 1 });
    const unmask = () => adapter.client.setIrqs({ index: INTX, action: 'unmask', count: 1 });
    const disabled = () => (hardware(adapter) & DIS_INTX) !== 0;
    return { ...adapter, mask, unmask, disabled };
  };

  it('[core:C5.1] is cleared when INTx is enabled', () => {
    using adapter = opened();
    adapter.pdev.function.config.poke(COMMAND, Uint8Array.of(0x02, 0x04));
    adapter.client.setIrqs({ index: INTX, eventfds: [nobody] });
    expect(adapter.disabled()).toBe(false);
  });

  it('[core:C5.2] stays set when INTx is enabled, if the user has set it', () => {
    using adapter = opened();
    const event = new EventFd();
    user(adapter, MEMORY | DIS_INTX);
    adapter.client.setIrqs({ index: INTX, eventfds: [event] });
    expect(adapter.disabled()).toBe(true);
    adapter.pdev.function.intx.assert();
    expect(event.count).toBe(0);
    user(adapter, MEMORY);
    expect(event.count).toBe(1);
  });

  it('[core:C4.16] does not reach the function while no interrupt is enabled', () => {
    using adapter = opened();
    user(adapter, MEMORY | DIS_INTX);
    expect(adapter.device.read(CONFIG, COMMAND, 2)).toBe(MEMORY | DIS_INTX);
    adapter.client.setIrqs({ index: INTX, eventfds: [nobody] });
    expect(adapter.disabled()).toBe(true);
  });

  it('[core:C5.17 core:C4.34] masks and unmasks, by words and by the upper byte', () => {
    using adapter = opened();
    adapter.client.setIrqs({ index: INTX, eventfds: [nobody] });
    user(adapter, MEMORY | DIS_INTX);
    expect(adapter.disabled()).toBe(true);
    user(adapter, MEMORY);
    expect(adapter.disabled()).toBe(false);
    adapter.device.write(CONFIG, COMMAND + 1, 1, DIS_INTX >> 8);
    expect(adapter.disabled()).toBe(true);
    adapter.device.write(CONFIG, COMMAND + 1, 1, 0);
    expect(adapter.disabled()).toBe(false);
  });

  it('[core:C5.18] takes a mask by ioctl away with its own', () => {
    using adapter = opened();
    adapter.client.setIrqs({ index: INTX, eventfds: [nobody] });
    adapter.mask();
    user(adapter, MEMORY | DIS_INTX);
    user(adapter, MEMORY);
    expect(adapter.disabled()).toBe(false);
  });

  it('[core:C5.19] is stronger than an unmask by ioctl', () => {
    using adapter = opened();
    adapter.client.setIrqs({ index: INTX, eventfds: [nobody] });
    user(adapter, MEMORY | DIS_INTX);
    adapter.unmask();
    expect(adapter.disabled()).toBe(true);
  });

  it('[core:C5.49 core:C5.41] reaches the function while MSI is active, mutes no message, and outlives MSI', () => {
    using adapter = opened();
    let messages = 0;
    adapter.client.setIrqs({ index: MSI, eventfds: [() => messages++] });
    user(adapter, 0x0006 | DIS_INTX);
    expect(adapter.disabled()).toBe(true);
    expect(adapter.pdev.function.raise(0)).toBe(true);
    expect(messages).toBe(1);
    user(adapter, 0x0006);
    expect(adapter.disabled()).toBe(false);
    user(adapter, 0x0006 | DIS_INTX);
    adapter.client.disableIrqs(MSI);
    // Freeing vectors clears it, and COMMAND is put back after that, see test/conformance/differences.md.
    expect(adapter.disabled()).toBe(true);
  });

  it('[core:C4.106 core:C5.41] of a function whose INTx is hidden is set for good', () => {
    using adapter = openAdapter({ config: [[0x00, 4, 0x15728086]] });
    const disabled = () => (hardware(adapter) & DIS_INTX) !== 0;
    expect([disabled(), adapter.device.read(CONFIG, COMMAND, 2) & DIS_INTX]).toEqual([
      true,
      DIS_INTX,
    ]);
    adapter.client.setIrqs({ index: MSI, eventfds: [nobody] });
    adapter.client.disableIrqs(MSI);
    expect(disabled()).toBe(true);
  });
});

describe('messages', () => {
  /** How many vectors the virtual MSI control shows when the user asks for 128. */
  const queueSize = ({ device }: Adapter) => {
    device.write(CONFIG, 0x52, 2, 0x0070);
    return (device.read(CONFIG, 0x52, 2) & 0x70) >> 4;
  };

  it.each([
    [1, 0],
    [2, 1],
    [3, 2],
    [5, 3],
    [8, 3],
  ])('[core:C5.24] of %i vectors are 2 to the %i in configuration space', (vectors, queue) => {
    using adapter = openAdapter();
    adapter.client.setIrqs({ index: MSI, eventfds: new Array(vectors).fill(nobody) });
    expect(adapter.core.msiQmax).toBe(queue);
    expect(queueSize(adapter)).toBe(queue);
  });

  it.each([MSI, MSIX])('[core:C5.26] of index %i and no vectors are out of range', (index) => {
    using adapter = openAdapter();
    expect(adapter.ioctl(SET_IRQS, 20, EVENTFD_TRIGGER, index, 0, 0)[0]).toBe(-ERANGE);
    expect(adapter.ioctl(SET_IRQS, 20, NONE_TRIGGER, index, 0, 0)[0]).toBe(-EINVAL);
  });

  it('[core:C5.50] of MSI-X are enabled with memory on for the moment', () => {
    using adapter = openAdapter();
    user(adapter, 0);
    adapter.trace.take();
    adapter.client.setIrqs({ index: MSIX, eventfds: [nobody] });
    const writes = adapter.trace.take().filter((access) => /^W16@(4|b2)=/.test(access));
    expect(hardware(adapter) & MEMORY).toBe(0);
    const enable = writes.findIndex((access) => /^W16@b2=[89a-f]/.test(access));
    expect(enable).toBeGreaterThan(0);
    expect(writes.slice(0, enable).findLast((access) => access.startsWith('W16@4='))).toMatch(
      /^W16@4=...[2367abef]$/,
    );
    expect(adapter.pdev.function.config.peek16(0xb2) & 0x8000).toBe(0x8000);
  });

  it.each([
    ['INTx', INTX],
    ['MSI', MSI],
    ['MSI-X', MSIX],
  ])('of the last user are gone with it: %s', (_name, index) => {
    using adapter = openAdapter();
    const { pdev, machine, core, group } = adapter;
    const old = new EventFd();
    adapter.client.setIrqs({ index, eventfds: [old] });
    adapter.device.close();
    expect([pdev.vectorKind, pdev.function.raise(0)]).toEqual([undefined, false]);
    const again = new DeviceClient(machine.open(core, group), machine.process);
    for (const next of [INTX, MSI, MSIX]) {
      again.setIrqs({ index: next, eventfds: [nobody] });
      if (next === INTX) pdev.function.intx.assert();
      else pdev.function.raise(0);
      pdev.function.intx.deassert();
      again.disableIrqs(next);
    }
    expect(old.count).toBe(0);
  });

  it('[core:C5.46] and INTx leave errors and release requests to themselves', () => {
    for (const index of [INTX, MSI, MSIX]) {
      using adapter = openAdapter();
      adapter.client.setIrqs({ index, eventfds: [nobody] });
      const told = [ERR, REQ].map((each) => {
        const event = new EventFd();
        adapter.client.setIrqs({ index: each, eventfds: [event] });
        adapter.client.setIrqs({ index: each, count: 1 });
        return event.count;
      });
      expect(told).toEqual([1, 1]);
    }
  });
});
