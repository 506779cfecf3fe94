import { fileError } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';

const failure = (code: string) => Object.assign(new Error(`${code}: …, open`), { code });

describe('an error of a file', () => {
  test.each([
    ['EACCES', 'EACCES', 'f: permission denied'],
    ['EROFS', 'EROFS', 'f: the file system is read-only'],
    ['EIO', 'EIO', "f: can't be read or written (EIO)"],
    ['EDQUOTX', 'EIO', "f: can't be read or written (EDQUOTX)"],
  ])('%s is told by the name that somebody gave', (code, kept, message) => {
    const error = fileError('f', failure(code));
    expect(error).toBeInstanceOf(VfioError);
    expect(error).toMatchObject({ code: kept, message });
  });

  test('is passed on if it is none, or told already', () => {
    const told = new VfioError('EBUSY', 'x: in use');
    for (const error of [told, new TypeError('a mistake of ours'), failure('ERR_INVALID_ARG_TYPE')])
      expect(fileError('f', error)).toBe(error);
  });
});
