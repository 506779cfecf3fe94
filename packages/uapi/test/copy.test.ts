import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  copyArgszIn,
  copyIn,
  copyInfoOut,
  copyOut,
  copySizedIn,
  copyStructOut,
  struct,
  u32,
  u64,
} from '../src/index.js';
import { hex } from './layout.js';

const EFAULT = 14;
const EINVAL = 22;
const E2BIG = 7;

const request = struct('request', { argsz: u32, flags: u32, first: u64, later: u64 });
const argument = (argsz: number, length = argsz) =>
  request.encode({ argsz }, new Uint8Array(Math.max(length, 4))).subarray(0, length);

describe('copyIn', () => {
  test.each([
    { what: 'nothing', argument: undefined },
    { what: 'a number', argument: 5 },
    { what: 'too little memory', argument: new Uint8Array(7) },
  ])('refuses $what', ({ argument }) => {
    expect(copyIn(argument, 8)).toBeUndefined();
  });

  test('shows the memory of the caller, of which it copies so much', () => {
    const memory = hex('00 01020304 05');
    const view = copyIn(memory.subarray(1), 4)!;
    view.setUint8(0, 0xff);
    expect(view.byteLength).toBe(4);
    expect(memory).toEqual(hex('00 ff020304 05'));
  });

  test('of no bytes wants memory all the same', () => {
    expect(copyIn(new Uint8Array(0), 0)?.byteLength).toBe(0);
    expect(copyIn(undefined, 0)).toBeUndefined();
  });
});

describe('copyOut', () => {
  test('writes all of it or nothing', () => {
    const memory = new Uint8Array(8);
    expect(copyOut(memory, hex('0102'), 6)).toBe(0);
    expect(copyOut(memory, hex('030405'), 6)).toBe(-EFAULT);
    expect(memory).toEqual(hex('0000 0000 0000 0102'));
    expect(copyOut(undefined, hex('00'))).toBe(-EFAULT);
    expect(copyOut(7, hex('00'))).toBe(-EFAULT);
  });
});

describe('a structure with argsz', () => {
  test('that cannot be read is EFAULT before its argsz is looked at', () => {
    expect(copyArgszIn(undefined, request)).toBe(-EFAULT);
    expect(copyArgszIn(argument(0, 23), request)).toBe(-EFAULT);
    expect(copyArgszIn(argument(0, 15), request, 16)).toBe(-EFAULT);
  });

  test('that says it is smaller than the minimum is EINVAL', () => {
    expect(copyArgszIn(argument(23, 24), request)).toBe(-EINVAL);
    expect(copyArgszIn(argument(15, 16), request, 16)).toBe(-EINVAL);
    expect(copyArgszIn(argument(16), request, 16)).toMatchObject({ argsz: 16 });
  });

  test('may be larger, and is not read beyond the minimum', () => {
    const memory = argument(24);
    request.encode({ argsz: 0xffffffff, first: 1n, later: 2n }, memory);
    expect(copyArgszIn(memory, request, 16)).toEqual({
      argsz: 0xffffffff,
      flags: 0,
      first: 1n,
      later: 0n,
    });
  });

  test('gives its members for every argsz that is enough', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 64 }),
        fc.integer({ min: 0, max: 64 }),
        (size, room) => {
          const result = copyArgszIn(argument(size, room), request, 16);
          if (room < 16) expect(result).toBe(-EFAULT);
          else if (size < 16) expect(result).toBe(-EINVAL);
          else expect(result).toMatchObject({ argsz: size });
        },
      ),
    );
  });
});

describe('a structure with its size', () => {
  test('that is smaller than the kernel has it is filled up with zeroes', () => {
    const memory = request.encode({ argsz: 16, first: 5n }, new Uint8Array(16));
    expect(copySizedIn(memory, request, 16)).toMatchObject({ first: 5n, later: 0n });
  });

  test.each([
    { what: 'unreadable', memory: undefined, error: -EFAULT },
    { what: 'shorter than its first word', memory: new Uint8Array(3), error: -EFAULT },
    { what: 'smaller than the minimum', memory: argument(15), error: -EINVAL },
    { what: 'not all there', memory: argument(24, 20), error: -EFAULT },
    { what: 'larger, with zeroes behind', memory: argument(32), error: undefined },
  ])('that is $what', ({ memory, error }) => {
    const result = copySizedIn(memory, request, 16);
    if (error === undefined) expect(result).toMatchObject({ argsz: 32 });
    else expect(result).toBe(error);
  });

  test('that is larger and asks for something unknown is E2BIG', () => {
    const memory = argument(32);
    memory[31] = 1;
    expect(copySizedIn(memory, request, 16)).toBe(-E2BIG);
  });

  test('ignores what lies behind its size', () => {
    const memory = argument(24, 32).fill(1, 24);
    expect(copySizedIn(memory, request)).toMatchObject({ argsz: 24 });
  });
});

describe('writing a structure back', () => {
  test('changes the members that are named', () => {
    const memory = request.encode({ argsz: 24, flags: 1, first: 2n, later: 3n });
    expect(copyStructOut(memory, request, { flags: 9 })).toBe(0);
    expect(request.decode(memory)).toEqual({ argsz: 24, flags: 9, first: 2n, later: 3n });
  });

  test('stops at the room of the caller, in the middle of a member if need be', () => {
    const memory = new Uint8Array(24).fill(0xaa);
    expect(copyStructOut(memory, request, { flags: 0, first: 0n, later: 0n }, 18)).toBe(0);
    expect([...memory.subarray(4)]).toEqual([...Array(14).fill(0), ...Array(6).fill(0xaa)]);
  });

  test('to memory that is not there writes nothing', () => {
    const memory = new Uint8Array(20).fill(0xaa);
    expect(copyStructOut(memory, request, { flags: 0 })).toBe(-EFAULT);
    expect(memory.every((byte) => byte === 0xaa)).toBe(true);
  });
});

describe('answering an info call', () => {
  const info = struct('info', { argsz: u32, flags: u32, size: u64, capOffset: u32, pad: u32 });
  const capabilities = [{ id: 3, version: 1, body: Uint8Array.of(1, 2, 3, 4) }];
  const CAPS = 0x80;
  const answer = (argsz: number, memory = new Uint8Array(argsz).fill(0xaa)) => ({
    memory,
    result: copyInfoOut(memory, info, { argsz, flags: 1, size: 7n }, capabilities, CAPS),
  });

  test('puts the chain behind the structure and says where it starts', () => {
    const { memory, result } = answer(40);
    expect(result).toBe(0);
    expect(info.decode(memory)).toMatchObject({ argsz: 40, flags: 0x81, size: 7n, capOffset: 24 });
    expect([...memory.subarray(24)]).toEqual([3, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]);
  });

  test('tells a caller with too little room how much it needs, and that there are capabilities', () => {
    const { memory, result } = answer(39);
    expect(result).toBe(0);
    expect(info.decode(memory)).toMatchObject({ argsz: 40, flags: 0x81, capOffset: 0 });
    expect(memory.subarray(24).every((byte) => byte === 0xaa)).toBe(true);
  });

  test('leaves members alone that it has nothing to tell of', () => {
    const memory = new Uint8Array(24).fill(0xaa);
    expect(copyInfoOut(memory, info, { argsz: 24, flags: 1 }, [], CAPS)).toBe(0);
    expect(info.decode(memory)).toMatchObject({ argsz: 24, flags: 1, capOffset: 0xaaaaaaaa });
  });

  test('writes nothing behind the room that the caller owns up to', () => {
    const memory = new Uint8Array(24).fill(0xaa);
    expect(copyInfoOut(memory, info, { argsz: 16, flags: 1, capOffset: 0 }, [], CAPS)).toBe(0);
    expect(memory.subarray(16).every((byte) => byte === 0xaa)).toBe(true);
  });

  test('faults where the caller claims more than it has', () => {
    expect(answer(40, new Uint8Array(32)).result).toBe(-EFAULT);
  });
});
