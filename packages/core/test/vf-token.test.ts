import { describe, expect, it } from 'vitest';
import { matchName, parseUuid, VfToken, validateToken } from '../src/vf-token.js';

const EACCES = 13;
const EINVAL = 22;
const TEXT = '00112233-4455-6677-8899-aabbccddeeff';
const UUID = Uint8Array.from([
  0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
]);
const OTHER = new Uint8Array(16).fill(7);
const NAME = '0000:01:00.0';

describe('the name that GET_DEVICE_FD is given', () => {
  it.each([
    [NAME, undefined],
    [`${NAME} `, undefined],
    [`${NAME}   `, undefined],
    [`${NAME} vf_token=${TEXT}`, UUID],
    [`${NAME}   vf_token=${TEXT}  `, UUID],
  ])('"%s" is the device', (text, token) => {
    expect(matchName(text, NAME)).toEqual({ token });
  });

  it.each([`${NAME}x`, '0000:01:00.1', '', `x${NAME}`, `${NAME.slice(0, -1)}`])(
    '"%s" is another',
    (text) => {
      expect(matchName(text, NAME)).toBe('other');
    },
  );

  it.each([
    `${NAME} foo`,
    `${NAME} vf_token=`,
    `${NAME} vf_token=${TEXT.slice(1)}`,
    `${NAME} vf_token=${TEXT}x`,
    `${NAME} vf_token=${TEXT}\t`,
    `${NAME} \t`,
    `${NAME} vf_token=${TEXT} vf_token=${TEXT}`,
    `${NAME} vf_token=zz112233-4455-6677-8899-aabbccddeeff`,
  ])('[core:C2.65] "%s" is malformed', (text) => {
    expect(matchName(text, NAME)).toBe('malformed');
  });

  it('reads a UUID in the order in which it is written', () => {
    expect(parseUuid(TEXT)).toEqual(UUID);
    expect(parseUuid(TEXT.toUpperCase())).toEqual(UUID);
    expect(parseUuid('nonsense')).toBeUndefined();
  });
});

describe('the token of one who opens', () => {
  const token = (users: number) => Object.assign(new VfToken(UUID), { users });
  const vf = (pfToken?: VfToken) => ({ isVirtfn: true, pfToken, ownToken: undefined });
  const pf = (ownToken: VfToken) => ({ isVirtfn: false, pfToken: undefined, ownToken });
  const neither = { isVirtfn: false, pfToken: undefined, ownToken: undefined };

  it('[core:C9.11] is out of place on a VF of a PF that is not ours', () => {
    expect(validateToken(vf(), undefined)).toBe(0);
    expect(validateToken(vf(), UUID)).toBe(-EINVAL);
  });

  it('[core:C9.10] has to be right on a VF of ours', () => {
    expect(validateToken(vf(token(0)), undefined)).toBe(-EACCES);
    expect(validateToken(vf(token(0)), OTHER)).toBe(-EACCES);
    expect(validateToken(vf(token(0)), UUID)).toBe(0);
  });

  it('[core:C9.13] has to be right on a PF while VFs are open', () => {
    expect(validateToken(pf(token(1)), undefined)).toBe(-EACCES);
    expect(validateToken(pf(token(1)), OTHER)).toBe(-EACCES);
    expect(validateToken(pf(token(1)), UUID)).toBe(0);
  });

  it('[core:C9.12] becomes the token of a PF without open VFs', () => {
    const own = token(0);
    expect(validateToken(pf(own), undefined)).toBe(0);
    expect(own.uuid).toEqual(UUID);
    expect(validateToken(pf(own), OTHER)).toBe(0);
    expect(own.uuid).toEqual(OTHER);
  });

  it('[core:C9.14] is out of place on everything else', () => {
    expect(validateToken(neither, undefined)).toBe(0);
    expect(validateToken(neither, UUID)).toBe(-EINVAL);
  });
});
