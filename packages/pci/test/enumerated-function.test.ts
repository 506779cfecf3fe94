import { describe, expect, test } from 'vitest';
import { PciTopology } from '../src/index.js';
import { Analyser, configOf, EXPRESS, FULL } from './helpers.js';

describe('enumeration', () => {
  test('finds ids, class, revision and header type', () => {
    const device = new PciTopology().add('0000:00:03.0', { config: FULL });
    expect(device).toMatchObject({
      name: '0000:00:03.0',
      vendor: 0x1234,
      device: 0x5678,
      subsystemVendor: 0x1af4,
      subsystemDevice: 0x1100,
      revision: 2,
      class: 0x020000,
      headerType: 0,
      isMultifunction: false,
    });
  });

  test('strips the multifunction bit from the header type', () => {
    const device = new PciTopology().add('0000:00:03.0', {
      config: configOf({ bytes: [[0x0e, [0x81]]] }),
    });
    expect([device.headerType, device.isMultifunction]).toEqual([1, true]);
  });

  test('finds the subsystem ids of a bridge in their capability, if it has one', () => {
    const topology = new PciTopology();
    const bytes = [[0x0e, [1]]] as const;
    const ssvid = { at: 0x40, id: 0x0d, body: [0, 0, 0x36, 0x1b, 0x34, 0x12] };
    const named = topology.add('0000:00:01.0', {
      config: configOf({ capabilities: [ssvid], bytes }),
    });
    const plain = topology.add('0000:00:02.0', { config: configOf({ bytes }) });
    expect([named.subsystemVendor, named.subsystemDevice]).toEqual([0x1b36, 0x1234]);
    expect([plain.subsystemVendor, plain.subsystemDevice]).toEqual([0, 0]);
  });

  test('finds PCI Express with its type', () => {
    const topology = new PciTopology();
    const legacy = { ...EXPRESS, body: [0x12, 0x00] };
    const express = topology.add('0000:00:03.0', { config: configOf({ capabilities: [legacy] }) });
    const conventional = topology.add('0000:00:04.0', { config: configOf() });
    expect([express.isPcie, express.pcieType]).toEqual([true, 1]);
    expect([conventional.isPcie, conventional.pcieType]).toEqual([false, 0]);
  });

  test('takes the interrupt line that firmware wrote, none without a pin or with 0xff', () => {
    const topology = new PciTopology();
    const irqOf = (address: string, line: number, pin: number) =>
      topology.add(address, { config: configOf({ bytes: [[0x3c, [line, pin]]] }) }).irq;
    expect([irqOf('00:01.0', 10, 1), irqOf('00:02.0', 10, 0), irqOf('00:03.0', 0xff, 1)]).toEqual([
      10, 0, 0,
    ]);
  });

  test('finds out whether DisINTx follows writes, and leaves it as it was', () => {
    const topology = new PciTopology();
    const works = topology.add('0000:00:01.0', { config: FULL });
    const stuck = topology.add('0000:00:02.0', { config: FULL, writeMask: new Uint8Array(256) });
    expect([works.intxMaskable, stuck.intxMaskable]).toEqual([true, false]);
    expect(works.config.read(0x04, 2)).toBe(0);
  });

  test('believes the facts it is given', () => {
    const device = new PciTopology().add(
      '0000:00:03.0',
      { config: FULL },
      {
        irq: 0x80000000,
        intxMaskable: false,
        noCommandMemory: true,
        nonMappableBars: true,
        powerState: 5,
        ids: { device: 0x9999 },
      },
    );
    expect(device).toMatchObject({
      irq: 0x80000000,
      intxMaskable: false,
      noCommandMemory: true,
      nonMappableBars: true,
      currentState: 5,
      vendor: 0x1234,
      device: 0x9999,
    });
  });

  test('goes through what the platform puts in front of configuration space', () => {
    const analyser = new Analyser();
    const device = new PciTopology({ platform: analyser.platform() }).add('0000:00:03.0', {
      config: FULL,
    });
    analyser.take();
    device.config.read(0x3c, 1);
    device.config.write(0x04, 2, 7);
    expect(analyser.take()).toBe('R8@3c W16@4=0007');
  });

  test('of a function that does not answer finds nothing', () => {
    const platform = { configAccess: () => ({ size: 4096, read: () => -5, write: () => -5 }) };
    const device = new PciTopology({ platform }).add('0000:00:03.0', { config: FULL });
    expect(device).toMatchObject({ vendor: 0, isPcie: false, intxMaskable: false, irq: 0 });
    expect(device.findCapability(1)).toBe(0);
    expect(device.findExtendedCapability(1)).toBe(0);
  });
});
