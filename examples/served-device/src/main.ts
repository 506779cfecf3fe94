// A device of one's own, served to QEMU: a guest finds it on its PCI bus.
import { type OpenedFunction, openFunction } from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';
import {
  ClientMemory,
  openTransport,
  type ServerEvent,
  type SharedMemory,
  UnixTransport,
  VfioUserServer,
} from '@vfiokit/vfio-user';
import { Copier, describe, REGISTERS } from './copier.js';
import { copierDriver } from './copier-driver.js';

export { REGISTERS } from './copier.js';

/** Puts a copier into a machine and opens it. Its memory is the guest's to map, where it is shared. */
export function openCopier(memory: Uint8Array, dma: ClientMemory): OpenedFunction {
  const copier: Copier = new Copier(memory, dma, () => pdev.function);
  const description = describe(copier, new MemoryBlock(memory));
  const pdev = new PciTopology().add('0000:00:03.0', description);
  return openFunction(pdev, { driver: copierDriver([copier.registers, memory]) });
}

/** Serves a copier at a path until it is disposed of. */
export async function serve(
  path: string,
  onEvent: (event: ServerEvent) => void = () => {},
): Promise<VfioUserServer> {
  const transport = await openTransport();
  const shared: SharedMemory | undefined =
    transport instanceof UnixTransport ? transport.createMemory(0x10000) : undefined;
  const memory = new ClientMemory();
  const { device, process } = openCopier(shared?.bytes ?? new Uint8Array(0x10000), memory);
  const mappable = new Map(shared === undefined ? [] : [[2, shared]]);
  return VfioUserServer.listen({ device, process, transport, path, memory, mappable, onEvent });
}

export function main(print: (line: string) => void): void {
  const memory = new Uint8Array(0x10000);
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
