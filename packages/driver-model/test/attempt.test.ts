import { attempt, KernelLog } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';

describe('an attribute made of an action', () => {
  it('answers 0 for one that goes well', () => {
    expect(attempt(new KernelLog(), () => {})).toBe(0);
  });

  it('answers the errno of one that fails, and the log says what would help', () => {
    const log = new KernelLog();
    const answer = attempt(log, () => {
      throw new VfioError('EBUSY', '05.0004: a guest uses it: stop that first');
    });
    expect(answer).toBe(-16);
    expect(log.lines).toEqual([
      { level: 'warning', subject: '05.0004', text: 'a guest uses it: stop that first' },
    ]);
  });

  it('passes on what is no answer of the kernel', () => {
    const mistake = () => {
      throw new TypeError('a mistake');
    };
    expect(() => attempt(new KernelLog(), mistake)).toThrow(TypeError);
  });
});
