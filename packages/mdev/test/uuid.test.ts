import { parseUuid } from '@vfiokit/mdev';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('the UUID of a mediated device', () => {
  it('is 36 characters in any case, and at most one more, whatever it is', () => {
    const uuid = '83B8F4F2-509f-382f-3c1e-e6bfe0fa1001';
    for (const text of [uuid, `${uuid}\n`, `${uuid}!`])
      expect(parseUuid(text)).toBe('83b8f4f2-509f-382f-3c1e-e6bfe0fa1001');
  });

  it.each([
    '',
    'x',
    '83b8f4f2-509f-382f-3c1e-e6bfe0fa100',
    '83b8f4f2509f-382f-3c1e-e6bfe0fa1001-',
    '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001\n\n',
    'g3b8f4f2-509f-382f-3c1e-e6bfe0fa1001',
  ])('is not %j', (text) => {
    expect(() => parseUuid(text)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('reads back what any UUID is written as', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        expect(parseUuid(uuid.toUpperCase())).toBe(uuid);
      }),
    );
  });
});
