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
});
