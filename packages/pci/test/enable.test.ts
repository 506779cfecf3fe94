import { describe, expect, test } from 'vitest';
import { PciResource, PciTopology } from '../src/index.js';
import { Analyser, configOf, EXPRESS, FULL } from './helpers.js';

const EINVAL = -22;

function traced(config = FULL) {
  const analyser = new Analyser();
  const topology = new PciTopology({ platform: analyser.platform() });
  const device = topology.add('0000:00:03.0', {
    config,
    bars: [
      { size: 0x4000, kind: 'memory' },
      { size: 32, kind: 'io' },
    ],
  });
  analyser.take();
  return { analyser, device, topology };
}

describe('enabling', () => {
  test('decodes what the resources need', () => {
    const { device } = traced();
    expect(device.enable()).toBe(0);
    expect(device.config.read(0x04, 2)).toBe(3);
  });

  test('reads the power state, then decodes, then looks at the pin and at DisINTx', () => {
    const { analyser, device } = traced();
    device.enable();
    expect(analyser.take()).toBe('R16@44 R16@4 W16@4=0003 R8@3d R16@4');
  });

  test('gives INTx back to a function with a pin', () => {
    const { device } = traced();
    device.intx(false);
    device.enable();
    expect(device.config.read(0x04, 2) & 0x0400).toBe(0);
  });

  test('leaves DisINTx of a function without a pin', () => {
    const { device } = traced(configOf({ bytes: [[0x3d, [0]]] }));
    device.intx(false);
    device.enable();
    expect(device.config.read(0x04, 2) & 0x0400).toBe(0x0400);
  });

  test('wakes a function up that was left in D3hot', () => {
    const { device } = traced();
    device.config.write(0x44, 2, 3);
    expect(device.enable()).toBe(0);
    expect([device.currentState, device.config.read(0x44, 2) & 3]).toEqual([0, 0]);
  });

  test('is counted: only the first and the last touch the function', () => {
    const { analyser, device } = traced();
    device.enable();
    device.setMaster(true);
    analyser.take();
    device.enable();
    device.disable();
    expect(analyser.take()).toBe('R16@44');
    device.disable();
    expect(device.config.read(0x04, 2) & 4).toBe(0);
    device.disable();
    expect(device.enableCount).toBe(0);
  });

  test('fails with EINVAL for a resource without an address, and counts nothing', () => {
    const unset = new PciResource(0n, 4096, 0x20000200);
    const device = new PciTopology().add('0000:00:03.0', { config: FULL }, { resources: [unset] });
    expect(device.enable()).toBe(EINVAL);
    expect(device.enableCount).toBe(0);
  });

  test('enables the bridges above, with bus mastering', () => {
    const topology = new PciTopology();
    const bridge = topology.add('0000:00:02.0', {
      config: configOf({
        capabilities: [EXPRESS],
        bytes: [
          [0x0e, [1]],
          [0x18, [0, 1, 1]],
        ],
      }),
    });
    topology.add('0000:01:00.0', { config: FULL }).enable();
    expect(bridge.enableCount).toBe(1);
    expect(bridge.config.read(0x04, 2) & 4).toBe(4);
  });
});

describe('command bits', () => {
  test('are written only when they change', () => {
    const { analyser, device } = traced();
    device.intx(true);
    device.setMaster(false);
    expect(analyser.take()).toBe('R16@4 R16@4');
    device.intx(false);
    expect(analyser.take()).toBe('R16@4 W16@4=0400');
  });

  test('of a conventional bus master come with a latency timer', () => {
    const { device } = traced(configOf());
    device.setMaster(true);
    expect(device.config.read(0x0d, 1)).toBe(0x40);
    const patient = traced(configOf({ bytes: [[0x0d, [0x20]]] })).device;
    patient.setMaster(true);
    expect(patient.config.read(0x0d, 1)).toBe(0x20);
    const express = traced().device;
    express.setMaster(true);
    expect(express.config.read(0x0d, 1)).toBe(0);
  });
});
