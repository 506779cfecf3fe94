import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { qemuArguments, serve } from '../src/commands/serve.js';
import { captureIo } from '../src/io.js';

const path = join(tmpdir(), `vfiokit-serve-${process.pid}.sock`);
const log = `${path}.log`;

afterEach(() => {
  for (const file of [path, log]) rmSync(file, { force: true });
});

test('serve binds a device with its group, serves it, logs messages and ends cleanly on SIGTERM', async () => {
  const io = captureIo();
  const args = { _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path, trace: log };
  const invocation = { args, machine: 'x86-server', io };
  const running = serve.run(invocation as unknown as Parameters<typeof serve.run>[0]);
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

test('serve refuses what is no model', async () => {
  const args = { _: ['0000:65:00.0'], device: '0000:65:00.0', socket: path, spin: 'soon' };
  const invocation = { args, machine: 'x86-server', io: captureIo() };
  await expect(serve.run(invocation as unknown as Parameters<typeof serve.run>[0])).rejects.toThrow(
    /--spin soon/,
  );
});

test('QEMU is told to share its memory', () => {
  expect(qemuArguments('/x')).toEqual([
    expect.stringContaining('share=on'),
    `-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/x"}}'`,
  ]);
});
