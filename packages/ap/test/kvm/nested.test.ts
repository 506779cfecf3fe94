import { ApMask, type CrycbFormat, Kvm, NestedGuest, shadowCrycb, shadowMasks } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { machine } from '../support/fixture.js';

/** A control block with these masks in both of its parts. */
function block({ apm, aqm, adm }: { apm: number[]; aqm: number[]; adm: number[] }): Uint8Array {
  const bytes = new Uint8Array(256);
  const put = (set: number[], at: number, length: number) =>
    bytes.set(ApMask.from(set).toBytes().subarray(0, length), at);
  put(apm, 0x00, 8);
  put(aqm, 0x08, 2);
  put(adm, 0x10, 2);
  put(apm, 0x80, 32);
  put(aqm, 0xa0, 32);
  put(adm, 0xc0, 32);
  return bytes;
}

const OUTER = { apm: [1, 2, 60, 200], aqm: [3, 14, 100], adm: [3, 15, 99] };
const WANTED = { apm: [2, 60, 200, 201], aqm: [3, 14, 100, 101], adm: [15, 99] };
const FORMAT_BITS = { 0: 0, 1: 1, 2: 3 } as const;

function shadow(
  nested: CrycbFormat,
  outer: CrycbFormat,
  { address = 0x2000, apie = true, outerApie = true, readable = true } = {},
) {
  return shadowCrycb(
    { crycb: block(OUTER), format: outer, apie: outerApie },
    {
      designation: address | FORMAT_BITS[nested],
      apie,
      read: (_, length) => (readable ? block(WANTED).subarray(0, length) : undefined),
    },
  );
}

function masks(nested: CrycbFormat, outer: CrycbFormat) {
  const { apm, aqm, adm } = shadowMasks(shadow(nested, outer));
  return [[...apm], [...aqm], [...adm]];
}

const validity = (code: number) => ({ kind: 'validity', code });

/** What a nested guest of a machine asks for. */
const REQUEST = { designation: 0x2003, apie: true, read: () => block(WANTED) };

describe('a nested guest', () => {
  it('[ap:181] follows every change of its host’s masks', () => {
    const kvm = new Kvm({ name: 'outer' }, machine().hardware);
    const nested = new NestedGuest(kvm, REQUEST);
    const adapters = () => [...shadowMasks(nested.shadow).apm];
    expect(adapters()).toEqual([]);
    kvm.setMasks({ apm: ApMask.of(2, 60), aqm: ApMask.ALL, adm: ApMask.NONE });
    expect(adapters()).toEqual([2, 60]);
    const before = nested.shadow;
    expect(nested.shadow).toBe(before);
    kvm.clearMasks();
    expect(adapters()).toEqual([]);
    kvm.setCryptoAttribute(5);
    expect(nested.shadow).toEqual({ kind: 'none' });
  });

  it('[ap:177] gets what it asks for of what its host has, in all three masks', () => {
    expect(masks(2, 2)).toEqual([
      [2, 60, 200],
      [3, 14, 100],
      [15, 99],
    ]);
  });

  it('[ap:178] cannot ask for more than its host has: validity interception', () => {
    expect(shadow(2, 1)).toEqual(validity(0x0022));
    expect(shadow(2, 0)).toEqual(validity(0x0022));
    expect(shadow(1, 0)).toEqual(validity(0x0022));
  });

  it('[ap:179] with a short control block gets 64 adapters and 16 domains', () => {
    const short = [[2, 60], [3, 14], [15]];
    expect(masks(1, 2)).toEqual(short);
    expect(masks(0, 2)).toEqual(short);
    expect(shadow(1, 2)).toMatchObject({ kind: 'shadow', format: 2 });
  });

  it('under a host with a short control block keeps the format', () => {
    expect(masks(1, 1)).toEqual([[2, 60], [3, 14], [15]]);
    expect(masks(0, 1)).toEqual(masks(1, 1));
    expect(shadow(0, 0)).toMatchObject({ kind: 'shadow', format: 0 });
  });

  it('[ap:180] must designate a block that is there, in one page', () => {
    expect(shadow(2, 2, { address: 0 })).toEqual(validity(0x0039));
    expect(shadow(1, 2, { address: 0x2fc0 })).toEqual(validity(0x003c));
    expect(shadow(2, 2, { readable: false })).toEqual(validity(0x0035));
    expect(shadow(0, 2, { address: 0x2fc0 })).toMatchObject({ kind: 'shadow' });
  });

  it('cannot designate a format that there is not', () => {
    const nested = { designation: 0x2002, apie: true, read: () => new Uint8Array(256) };
    expect(shadowCrycb({ crycb: block(OUTER), format: 2, apie: true }, nested)).toEqual(
      validity(0x0022),
    );
  });

  it('gets nothing while AP is not interpreted on either level', () => {
    expect(shadow(2, 2, { apie: false })).toEqual({ kind: 'none' });
    expect(shadow(2, 2, { outerApie: false })).toEqual({ kind: 'none' });
    expect([...shadowMasks(shadow(2, 2, { apie: false })).apm]).toEqual([]);
  });
});
