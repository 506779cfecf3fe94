import type { PciDevice } from '@vfiokit/pci';
import { describeRegionOps, TracedConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { BridgeConfig } from '../src/index.js';
import { laptop } from './igd-machine.js';

const EINVAL = 22;
const POSITION = 10 * 2 ** 40;

function traced() {
  const bridge = laptop().topology.find('0000:00:1f.0')!;
  const config = new TracedConfig(bridge.config);
  const ops = new BridgeConfig(
    { ...bridge, name: bridge.name, config } as unknown as PciDevice,
    () => {},
  );
  return { ops, config, bridge };
}

describeRegionOps('bridge configuration', () => {
  const { ops } = traced();
  return { ops, size: 256, writable: false };
});

describe("a bridge's configuration space", () => {
  it('[derived:69] is read live at every offset and can not be written', () => {
    const { ops, bridge } = traced();
    const bytes = new Uint8Array(256);
    expect(ops.transfer(bytes, POSITION, false)).toBe(256);
    expect(bytes).toEqual(bridge.function.config.bytes);
    bridge.function.config.poke(0x80, Uint8Array.of(0x99));
    expect(ops.read(0x80, 1)).toBe(0x99);
    expect(ops.transfer(bytes, POSITION, true)).toBe(-EINVAL);
  });

  it.each([
    [1, 7, ['R8@1', 'R16@2', 'R32@4']],
    [0, 4, ['R32@0']],
    [2, 2, ['R16@2']],
    [2, 6, ['R16@2', 'R32@4']],
    [3, 1, ['R8@3']],
    [4, 7, ['R32@4', 'R16@8', 'R8@a']],
    [0xfd, 8, ['R8@fd', 'R16@fe']],
  ])(
    '[derived:70] reads %i+%i in a byte and a word up to a dword, dwords, and the rest',
    (offset, count, accesses) => {
      const { ops, config } = traced();
      ops.transfer(new Uint8Array(count), POSITION + offset, false);
      expect(config.take()).toEqual(accesses);
    },
  );

  it('ends where the configuration space ends', () => {
    const { ops } = traced();
    expect(ops.transfer(new Uint8Array(8), POSITION + 254, false)).toBe(2);
    expect(ops.transfer(new Uint8Array(1), POSITION + 256, false)).toBe(-EINVAL);
  });
});
