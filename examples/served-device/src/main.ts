// A device of one's own, served to QEMU: a guest finds it on its PCI bus.
import { type OpenedFunction, openFunction, type VfioPciDriver } from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';
import {
  ClientMemory,
  openTransport,
  type ServerEvent,
  UnixTransport,
  VfioUserServer,
} from '@vfiokit/vfio-user';
import { Copier, REGISTERS } from './copier.js';
import { copierDriver } from './copier-driver.js';
import { copierFunction, MEMORY_SIZE } from './copier-function.js';

export { REGISTERS } from './copier.js';

/** Makes a driver for a copier whose state it may move. */
export type CopierDriver = (state: readonly Uint8Array[]) => VfioPciDriver;

/** Puts a copier into a machine and opens it. Its memory is the guest's to map, where it is shared. */
export function openCopier(
  memory: Uint8Array,
  dma: ClientMemory,
  driverOf: CopierDriver = copierDriver,
): OpenedFunction {
  const copier: Copier = new Copier(memory, dma, () => pdev.function);
  const description = copierFunction(copier, new MemoryBlock(memory));
  const pdev = new PciTopology().add('0000:00:03.0', description);
  return openFunction(pdev, { driver: driverOf([copier.bytes, memory]) });
}

/** Serves a copier at a path until it is disposed of. */
export async function serve(
  path: string,
  onEvent: (event: ServerEvent) => void = () => {},
  driverOf?: CopierDriver,
): Promise<VfioUserServer> {
  const transport = await openTransport();
  const shared =
    transport instanceof UnixTransport ? transport.createMemory(MEMORY_SIZE) : undefined;
  const memory = new ClientMemory();
  const bytes = shared?.bytes ?? new Uint8Array(MEMORY_SIZE);
  const { device, process } = openCopier(bytes, memory, driverOf);
  const mappable = new Map(shared === undefined ? [] : [[2, shared]]);
  return VfioUserServer.listen({ device, process, transport, path, memory, mappable, onEvent });
}

export function main(print: (line: string) => void): void {
  const memory = new Uint8Array(MEMORY_SIZE);
  const { device } = openCopier(memory, new ClientMemory());
  device.write(7, 4, 2, 0x6);
  const id = device.read(0, REGISTERS.ID, 4);
  device.write(0, REGISTERS.SCRATCH, 4, 0x1234);
  print(`id 0x${id.toString(16)}, scratch 0x${device.read(0, REGISTERS.SCRATCH, 4).toString(16)}`);
  device.write(2, 0, 4, 0x600d);
  print(`memory 0x${memory[1]?.toString(16)}${memory[0]?.toString(16).padStart(2, '0')}`);
  device.write(0, REGISTERS.LENGTH, 4, 16);
  device.write(0, REGISTERS.COMMAND, 4, 1);
  print(
    `without a guest a copy fails: status 0x${device.read(0, REGISTERS.STATUS, 4).toString(16)}`,
  );
}
