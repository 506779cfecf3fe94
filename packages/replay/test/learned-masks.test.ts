import { ConfigSpace } from '@vfiokit/pci';
import { describe, expect, test } from 'vitest';
import { LearnedMasks } from '../src/machine/learned-masks.js';

const REGISTER = 0x40;

function function_(writeMask: number): { config: ConfigSpace; masks: LearnedMasks } {
  const bytes = new Uint8Array(256);
  const mask = new Uint8Array(256);
  mask[REGISTER] = writeMask;
  const config = new ConfigSpace({ bytes, writeMask: mask });
  return { config, masks: new LearnedMasks(config) };
}

describe('write masks of a function that was not probed', () => {
  test('a bit that was taken for read-only and changed as written follows writes from then on', () => {
    const { config, masks } = function_(0x00);
    masks.begin();
    masks.write(REGISTER, 1, 0x0f);
    expect(masks.learn(REGISTER, 0x00, 0x0f, 0x00)).toBe(true);
    config.poke(REGISTER, Uint8Array.of(0x0f));
    masks.begin();
    masks.write(REGISTER, 1, 0x05);
    expect(config.read(REGISTER, 1)).toBe(0x05);
  });

  test('a bit that was taken for writable and stayed is read-only from then on', () => {
    const { config, masks } = function_(0xff);
    masks.begin();
    masks.write(REGISTER, 2, 0x00ff);
    expect(masks.learn(REGISTER, 0x00, 0x0f, 0xff)).toBe(true);
    config.poke(REGISTER, Uint8Array.of(0x00));
    masks.write(REGISTER, 1, 0xff);
    expect(config.read(REGISTER, 1)).toBe(0x0f);
  });

  test('a bit is learned once; a second contradiction is a difference', () => {
    const { masks } = function_(0x00);
    masks.begin();
    masks.write(REGISTER, 1, 0x01);
    expect(masks.learn(REGISTER, 0x00, 0x01, 0x00)).toBe(true);
    masks.begin();
    masks.write(REGISTER, 1, 0x00);
    expect(masks.learn(REGISTER, 0x01, 0x01, 0x00)).toBe(false);
    expect(masks.learned).toBe(1);
  });

  test('a byte that the operation did not write teaches nothing', () => {
    const { masks } = function_(0x00);
    masks.begin();
    expect(masks.learn(REGISTER, 0x00, 0x80, 0x00)).toBe(false);
  });

  test('a change that no written value explains teaches nothing', () => {
    const { masks } = function_(0x00);
    masks.begin();
    masks.write(REGISTER, 1, 0x00);
    expect(masks.learn(REGISTER, 0x00, 0x80, 0x00)).toBe(false);
  });
});
