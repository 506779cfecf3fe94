import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTransport } from '@vfiokit/vfio-user';
import { afterEach, expect, test } from 'vitest';
import { qemuArguments, serve } from '../src/commands/serve.js';
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
  for (const file of [path, log]) rmSync(file, { force: true });
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
  ['a spin that is no number', { spin: 'soon' }, /--spin soon/],
  ['a log that can not be written', { trace: '/dev/null/log' }, /--trace .*ENOTDIR/],
  ['a device that is named twice', { _: ['0000:65:00.0', '0000:65:00.0'] }, /named twice/],
  ['a socket whose folder is not there', { socket: '/dev/null/socket' }, /socket/],
  ['a path that sockets do not take', { socket: `/tmp/${'s'.repeat(120)}` }, /a path of 125 bytes/],
])('serve refuses %s', async (_, wrong, message) => {
  const args = { _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path, ...wrong };
  await expect(run(args, captureIo())).rejects.toThrow(message);
});

test.runIf(existsSync('/dev/full'))('a full disk ends the log and nothing else', async () => {
  const io = captureIo();
  const log = TraceLog.open('/dev/full', (text) => io.warn(text));
  log.of('0000:65:00.0')('received', Buffer.alloc(16), 0);
  await log.close();
  expect(io.err).toEqual([expect.stringMatching(/^--trace \/dev\/full: nothing more .*ENOSPC/)]);
});

test('QEMU is told to share its memory', () => {
  expect(qemuArguments('/x')).toEqual([
    expect.stringContaining('share=on'),
    `-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/x"}}'`,
  ]);
});
