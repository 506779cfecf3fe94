import { describe, expect, test } from 'vitest';
import { PciTopology } from '../src/index.js';
import { configOf, EXPRESS, words } from './helpers.js';

const EINVAL = -22;
const DEVCTL2 = EXPRESS.at + 0x28;
const ENDPOINT = 0;
const ROOT_PORT = 4;
const UPSTREAM = 5;
const DOWNSTREAM = 6;

/** A PCI Express capability of version 2. */
function express(type: number, devcap2 = 0, devctl2 = 0, devctl = 0) {
  const body = [2 | (type << 4), 0, ...words(0, devctl, 0, 0, 0, 0, 0, 0, devcap2, devctl2)];
  return { ...EXPRESS, body };
}

function bridge(type: number, secondary: number, devcap2: number, devctl2 = 0) {
  return {
    config: configOf({
      capabilities: [express(type, devcap2, devctl2)],
      bytes: [
        [0x0e, [1]],
        [0x18, [0, secondary, 0xff]],
      ],
    }),
  };
}

const conventional = () => new PciTopology().add('0000:00:03.0', { config: configOf() });
const endpoint = (devctl: number) =>
  new PciTopology().add('0000:00:03.0', {
    config: configOf({ capabilities: [express(ENDPOINT, 0, 0, devctl)] }),
  });

describe('request and payload sizes', () => {
  test('the payload size is read back, 128 bytes without PCI Express', () => {
    expect([
      endpoint(0x20).express.maxPayload,
      endpoint(0xa0).express.maxPayload,
      conventional().express.maxPayload,
    ]).toEqual([256, 4096, 128]);
  });

  test.each([
    [128, 0x0000],
    [512, 0x2000],
    [4096, 0x5000],
  ])('a read request size of %i is written to Device Control', (bytes, field) => {
    const device = endpoint(0x0810);
    expect(device.express.setReadRequest(bytes)).toBe(0);
    expect(device.config.read(EXPRESS.at + 8, 2)).toBe(0x0810 | field);
  });

  test.each([64, 8192, 300, 0])('a read request size of %i is EINVAL', (bytes) => {
    expect(endpoint(0).express.setReadRequest(bytes)).toBe(EINVAL);
  });

  test('any read request size is EINVAL without PCI Express', () => {
    expect(conventional().express.setReadRequest(128)).toBe(EINVAL);
  });
});

describe('AtomicOps', () => {
  const COMPLETER_32 = 0x80;
  const COMPLETER_64 = 0x100;
  const COMPLETER_128 = 0x200;
  const ROUTES = 0x40;

  function behind(rootPort: object, ...switchPorts: object[]) {
    const topology = new PciTopology();
    const ports = [rootPort, ...switchPorts] as { config: Uint8Array }[];
    for (const [index, port] of ports.entries()) topology.add(`0000:0${index}:00.0`, port);
    return topology.add(`0000:0${ports.length}:00.0`, {
      config: configOf({ capabilities: [express(ENDPOINT)] }),
    });
  }

  test('are enabled when the root port completes the width', () => {
    const device = behind(bridge(ROOT_PORT, 1, COMPLETER_32));
    expect(device.express.enableAtomicOps(COMPLETER_32)).toBe(0);
    expect(device.config.read(DEVCTL2, 2)).toBe(0x0040);
  });

  test('are EINVAL when the root port does not complete the width', () => {
    const device = behind(bridge(ROOT_PORT, 1, COMPLETER_32));
    expect([
      device.express.enableAtomicOps(COMPLETER_64),
      device.express.enableAtomicOps(COMPLETER_128),
    ]).toEqual([EINVAL, EINVAL]);
    expect(device.config.read(DEVCTL2, 2)).toBe(0);
  });

  test('need every switch port to route them, and the upstream port not to block them', () => {
    const root = bridge(ROOT_PORT, 1, COMPLETER_32);
    const through = (upstream: number, control: number, downstream: number) =>
      behind(
        root,
        bridge(UPSTREAM, 2, upstream, control),
        bridge(DOWNSTREAM, 3, downstream),
      ).express.enableAtomicOps(COMPLETER_32);
    expect(through(ROUTES, 0, ROUTES)).toBe(0);
    expect(through(0, 0, ROUTES)).toBe(EINVAL);
    expect(through(ROUTES, 0, 0)).toBe(EINVAL);
    expect(through(ROUTES, 0x80, ROUTES)).toBe(EINVAL);
  });

  test('without a root port in sight are what the enable bit says already', () => {
    const alone = (devctl2: number) =>
      new PciTopology()
        .add('0000:00:03.0', {
          config: configOf({ capabilities: [express(ENDPOINT, 0, devctl2)] }),
        })
        .express.enableAtomicOps(COMPLETER_32);
    expect([alone(0x40), alone(0)]).toEqual([0, EINVAL]);
  });

  test('are for endpoints only, and not for conventional functions', () => {
    const integrated = new PciTopology().add('0000:00:03.0', {
      config: configOf({ capabilities: [express(9, 0, 0x40)] }),
    });
    expect([
      integrated.express.enableAtomicOps(COMPLETER_32),
      conventional().express.enableAtomicOps(COMPLETER_32),
    ]).toEqual([EINVAL, EINVAL]);
  });
});
