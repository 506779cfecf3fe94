import { describe, expect, test, vi } from 'vitest';
import { EventFd, FdTable, Process, type VfioFile } from '../src/index.js';

const EBADF = 9;
const EINVAL = 22;
const EMFILE = 24;

const file = () => ({ kind: 'other', close: vi.fn() }) satisfies VfioFile;

describe('the descriptors of a process', () => {
  test('begin behind standard error and take the lowest free number', () => {
    const fds = new FdTable();
    expect([fds.install(file()), fds.install(file()), fds.install(file())]).toEqual([3, 4, 5]);
    fds.close(4);
    expect(fds.install(file())).toBe(4);
    expect(fds.install(file(), 40)).toBe(40);
  });

  test('run out at the limit', () => {
    const fds = new FdTable(5);
    fds.install(file());
    fds.install(file());
    expect(fds.install(file())).toBe(-EMFILE);
  });

  test('find their file until they are closed', () => {
    const fds = new FdTable();
    const one = file();
    const fd = fds.install(one);
    expect(fds.get(fd)).toBe(one);
    expect(fds.close(fd)).toBe(0);
    expect(fds.get(fd)).toBeUndefined();
    expect(fds.close(fd)).toBe(-EBADF);
  });

  test('tell an eventfd from what is not open and from what is something else', () => {
    const fds = new FdTable();
    const eventfd = new EventFd();
    const fd = fds.install(eventfd);
    expect(fds.eventFd(fd)).toBe(eventfd);
    expect(fds.eventFd(fds.install(file()))).toBe(-EINVAL);
    expect(fds.eventFd(99)).toBe(-EBADF);
  });

  test('close a file with the last number that stands for it', () => {
    const fds = new FdTable();
    const one = file();
    const [first, second] = [fds.install(one), fds.install(one)];
    fds.close(first);
    expect(one.close).not.toHaveBeenCalled();
    fds.close(second);
    expect(one.close).toHaveBeenCalledOnce();
  });

  test('can be given a number, which closes what stood there', () => {
    const fds = new FdTable();
    const [one, two] = [file(), file()];
    fds.set(7, one);
    fds.set(7, one);
    expect(one.close).not.toHaveBeenCalled();
    fds.set(7, two);
    expect(one.close).toHaveBeenCalledOnce();
    expect(fds.get(7)).toBe(two);
  });

  test('are closed from the highest down when the process ends', () => {
    const fds = new FdTable();
    const order: number[] = [];
    for (const fd of [3, 9, 5]) fds.set(fd, { kind: 'other', close: () => order.push(fd) });
    fds.closeAll();
    expect(order).toEqual([9, 5, 3]);
    expect(fds.get(3)).toBeUndefined();
  });
});

describe('a process', () => {
  test('has every right unless it is said otherwise', () => {
    expect(new Process().credentials).toEqual({
      ipcLock: true,
      sysRawio: true,
      sysResource: true,
      uid: 0,
      memlock: 8 * 1024 * 1024,
    });
    expect(new Process({ ipcLock: false }).credentials.ipcLock).toBe(false);
  });

  test('shares nothing with another', () => {
    const [one, two] = [new Process(), new Process()];
    const fd = one.fds.install(new EventFd());
    one.lockedBytes = 4096;
    expect(two.fds.get(fd)).toBeUndefined();
    expect(two.lockedBytes).toBe(0);
  });

  test('that exits closes its descriptors and is gone', () => {
    const process = new Process();
    const one = file();
    process.fds.install(one);
    expect(process.exited).toBe(false);
    process.exit();
    expect(one.close).toHaveBeenCalledOnce();
    expect(process.exited).toBe(true);
  });
});
