// The copier of `examples/served-device` under a driver of one's own.
import { openCopier, serve } from '@vfiokit/example-served-device';
import { ClientMemory, type ServerEvent } from '@vfiokit/vfio-user';
import { COUNTER, countedDriver, NOTE } from './counted-driver.js';

export { counter } from './counted-driver.js';

/** Serves it to QEMU at a path until it is disposed of. */
export const serveCounted = (path: string, onEvent?: (event: ServerEvent) => void) =>
  serve(path, onEvent, () => countedDriver);

export function main(print: (line: string) => void): void {
  const memory = new Uint8Array(0x10000);
  const { device } = openCopier(memory, new ClientMemory(), () => countedDriver);
  device.write(7, 4, 2, 0x2);
  print(`register: ${device.read(0, COUNTER, 4)}, again: ${device.read(0, COUNTER, 4)}`);
  const text = new Uint8Array(NOTE.length);
  device.pread(text, 9 * 2 ** 40);
  print(new TextDecoder().decode(text));
}
