import { describe, expect, it } from 'vitest';
import { errnoOf, free, machine } from '../support/fixture.js';

describe('an administrator’s shell', () => {
  it('says of a refused write what the kernel’s log says', () => {
    const m = free();
    m.assigned([5], [4]);
    expect(() => m.shell.echo('+5', '/sys/bus/ap/apmask')).toThrow(
      /apmask: queues that would go to the host are in use/,
    );
    expect(() => m.shell.echo('nobody', '/sys/bus/ap/drivers/vfio_ap/bind')).toThrow(
      /bind: ENODEV/,
    );
  });

  it('walks directories and links as the file system does', () => {
    const { shell } = machine();
    expect(shell.ls('/sys/bus/ap/devices')).toContain('05.0004');
    expect(shell.readlink('/sys/bus/ap/devices/05.0004')).toBe('/sys/devices/ap/card05/05.0004');
    expect(shell.cat('/sys/bus/ap/devices/05.0004/driver_override')).toBe('\n');
    expect(shell.exists('/sys/devices/ap/card05/05.0004/driver/bind')).toBe(true);
    expect(shell.exists('/proc/cmdline')).toBe(false);
  });

  it.each([
    ['reads what is write-only', 'EACCES', () => machine().shell.cat('/sys/bus/ap/drivers_probe')],
    ['writes what is read-only', 'EACCES', () => machine().shell.echo('1', '/sys/bus/ap/bindings')],
    ['reads a directory', 'EISDIR', () => machine().shell.cat('/sys/bus/ap')],
    ['lists a file', 'ENOTDIR', () => machine().shell.ls('/sys/bus/ap/apmask')],
    ['reads nothing', 'ENOENT', () => machine().shell.cat('/sys/bus/ap/nothing')],
    ['follows what is no link', 'EINVAL', () => machine().shell.readlink('/sys/bus/ap')],
  ])('fails when it %s', (_, code, action) => {
    expect(errnoOf(action)).toBe(code);
  });

  it('sees the same tree that waits for nobody and that waits', async () => {
    const m = machine();
    const bytes = await m.sysfs.read('/sys/bus/ap/apmask');
    expect(Buffer.from(bytes as Uint8Array).toString()).toBe(m.shell.cat('/sys/bus/ap/apmask'));
  });
});
