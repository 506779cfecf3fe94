import { describe, expect, test } from 'vitest';
import { VfioError } from '../src/index.js';

describe('a VfioError', () => {
  test('is shaped like the errors of Node', () => {
    const cause = new Error('why');
    const error = new VfioError('EBUSY', '0000:00:02.0: in use', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'VfioError',
      code: 'EBUSY',
      errno: -16,
      message: '0000:00:02.0: in use',
      cause,
    });
  });

  test('is made of the negated errno that a call came back with', () => {
    const cause = new Error('why');
    expect(VfioError.fromErrno(-16, 'subject: in use', { cause })).toMatchObject({
      code: 'EBUSY',
      errno: -16,
      message: 'subject: in use',
      cause,
    });
  });

  test('stands for an input/output error where the number has no name', () => {
    expect(VfioError.fromErrno(-9999, 'subject: fails')).toMatchObject({ code: 'EIO', errno: -5 });
  });
});
