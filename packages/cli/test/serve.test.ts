import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTransport } from '@vfiokit/vfio-user';
import { afterEach, expect, test, vi } from 'vitest';
import { serve } from '../src/commands/serve.js';
import { type CapturedIo, captureIo } from '../src/io.js';
import { TraceLog } from '../src/serve/trace-log.js';

const path = join(tmpdir(), `vfiokit-serve-${process.pid}.sock`);
const log = `${path}.log`;

const koffi = (await openTransport()).passesDescriptors;

function run(args: object, io: CapturedIo, machine = 'x86-server'): Promise<number> {
  const invocation = { args, machine: { name: machine }, io };
  return Promise.resolve(serve.run(invocation as unknown as Parameters<typeof serve.run>[0]));
}

afterEach(() => {
  for (const file of [path, `${path}.1`, log]) rmSync(file, { force: true });
});

test('serve binds a device with its group, serves it, logs messages and ends cleanly on SIGTERM', async () => {
  const io = captureIo();
  const args = { _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path, trace: log };
  const running = run(args, io);
  while (!io.out.some((line) => line.includes('vfio-user-pci')))
    await new Promise((resolve) => setImmediate(resolve));
  const socket = createConnection(path);
  const version = Buffer.from([1, 0, 1, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  const answered = new Promise((resolve) => socket.once('data', resolve));
  socket.write(version);
  await answered;
  socket.destroy();
  process.emit('SIGTERM');
  expect(await running).toBe(0);
  expect(existsSync(path)).toBe(false);
  expect(io.err).toContain('0000:65:00.0: client attached');
  expect(readFileSync(log, 'utf8')).toMatch(/^0000:65:00\.0 → 1 VERSION 0\.1/);
});

test("serve takes a model's boot display without being forced", async () => {
  const io = captureIo();
  const args = { _: ['0000:00:02.0'], device: '0000:00:02.0', socket: path };
  const running = run(args, io, 'x86-laptop');
  while (io.out.length === 0 && io.err.length === 0)
    await new Promise((resolve) => setImmediate(resolve));
  process.emit('SIGTERM');
  expect(await running).toBe(0);
  expect(io.out[0]).toContain(`0000:00:02.0: at ${path}`);
});

test("RAM behind a BAR is the guest's to map", async () => {
  const io = captureIo();
  const running = run({ _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path }, io);
  while (!io.out.some((line) => line.includes('vfio-user-pci')))
    await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  process.emit('SIGINT');
  expect(await running).toBe(0);
  expect(io.out.some((line) => line.includes('guests map BAR 1 directly'))).toBe(koffi);
});

test.each([
  ['a spin that is no number', { spin: 'soon' }, /--spin soon: microseconds are wanted/],
  ['a spin that signals would wait for', { spin: '10001' }, /--spin 10001: .*0 to 10000/],
  ['a spin that says nothing', { spin: '' }, /--spin : microseconds/],
  ['a socket without a name', { socket: '' }, /--socket: an empty path/],
  ['a log that can not be written', { trace: '/dev/null/log' }, /--trace .*ENOTDIR/],
  ['a device that is named twice', { _: ['0000:65:00.0', '0000:65:00.0'] }, /named twice/],
  ['a socket whose folder is no folder', { socket: '/dev/null/socket' }, /can't listen: ENOTDIR/],
  ['a socket whose folder is not there', { socket: '/nowhere/s' }, /can't listen: (ENOENT|EACCES)/],
  ['a path that sockets do not take', { socket: `/tmp/${'s'.repeat(120)}` }, /a path of 125 bytes/],
])('serve refuses %s', async (_, wrong, message) => {
  const args = { _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path, ...wrong };
  await expect(run(args, captureIo())).rejects.toThrow(message);
});

test.runIf(existsSync('/dev/full'))('a full disk ends the log and nothing else', async () => {
  const io = captureIo();
  const log = TraceLog.open('/dev/full', (text) => io.warn(text));
  log.of('0000:65:00.0')('received', Buffer.alloc(16), 0);
  log[Symbol.dispose]();
  expect(io.err).toEqual([expect.stringMatching(/^--trace \/dev\/full: nothing more .*ENOSPC/)]);
});

test('a log is written before the event loop goes on, and may be truncated meanwhile', async () => {
  const io = captureIo();
  using trace = TraceLog.open(log, (text) => io.warn(text));
  const one = trace.of('0000:65:00.0');
  one('received', Buffer.alloc(16), 0);
  await new Promise((resolve) => setImmediate(resolve));
  const line = readFileSync(log, 'utf8');
  expect(line).toBe('0000:65:00.0 → 0 command 0\n');
  truncateSync(log);
  // More than may wait.
  for (let i = 0; i < 4000; i += 1) one('received', Buffer.alloc(16), 0);
  expect(readFileSync(log, 'utf8').startsWith(line.repeat(2000))).toBe(true);
});

test('--json prints one document when all devices are served, and what QEMU needs for them', async () => {
  const io = captureIo();
  const devices = ['0000:65:00.0', '0000:81:00.0'];
  const running = run({ _: devices, device: devices[0], socket: path, json: true }, io);
  while (io.out.length === 0) await new Promise((resolve) => setImmediate(resolve));
  process.emit('SIGINT');
  expect(await running).toBe(0);
  expect(io.out).toHaveLength(1);
  const { qemu, devices: served } = JSON.parse(io.out[0]!);
  expect(qemu).toContain('memory-backend-memfd,id=ram,size=1G,share=on');
  expect(served).toMatchObject([
    { device: devices[0], socket: path, mappable: koffi ? [1] : [] },
    {
      device: devices[1],
      socket: `${path}.1`,
      qemu: ['-device', `{"driver":"vfio-user-pci","socket":{"type":"unix","path":"${path}.1"}}`],
    },
  ]);
});

test('a terminal that is closed ends it as a signal does, and it leaves nothing behind', async () => {
  const io = captureIo();
  const listeners = () =>
    ['SIGINT', 'SIGTERM', 'SIGHUP', 'exit'].map((name) => process.listenerCount(name));
  const before = listeners();
  const running = run({ _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path }, io);
  while (io.out.length === 0) await new Promise((resolve) => setImmediate(resolve));
  process.emit('SIGHUP', 'SIGHUP');
  expect(await running).toBe(0);
  expect(io.err).toEqual(['serve: SIGHUP: closing']);
  expect(listeners()).toEqual(before);
  expect(existsSync(path)).toBe(false);
});

test('a second device that can not be served takes the first one along', async () => {
  const io = captureIo();
  writeFileSync(`${path}.1`, '');
  const devices = ['0000:65:00.0', '0000:81:00.0'];
  await expect(run({ _: devices, device: devices[0], socket: path }, io)).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  expect([existsSync(path), existsSync(`${path}.1`)]).toEqual([false, true]);
  expect(io.out).toEqual([]);
});

test.runIf(koffi)('a process that ends by itself takes its socket along', async () => {
  const once = vi.spyOn(process, 'once');
  const io = captureIo();
  const running = run({ _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path }, io);
  while (io.out.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const atExit = once.mock.calls.find(([name]) => name === 'exit')?.[1] as () => void;
  once.mockRestore();
  expect(existsSync(path)).toBe(true);
  atExit();
  expect(existsSync(path)).toBe(false);
  process.emit('SIGTERM');
  expect(await running).toBe(0);
});
