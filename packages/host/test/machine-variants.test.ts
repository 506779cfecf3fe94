import { NATIVE_DRIVERS, SILICON, type SiliconModel } from '@vfiokit/core';
import { describeMachine, Machine } from '@vfiokit/host';
import { MemoryBlock } from '@vfiokit/pci';
import { expect, test } from 'vitest';

const PF = '0000:01:00.0';
const description = describeMachine({
  name: 'with-a-variant',
  architecture: 'x86_64',
  kernel: '7.2.12',
  functions: [
    {
      at: PF,
      ids: '1234:0001',
      class: '020000',
      bars: ['4K'],
      sriov: { total: 4, enabled: 2, device: '0002', bars: ['16K 64 prefetch', '4K'], msix: 3 },
    },
  ],
  modules: [{ name: 'acme', drivers: [{ name: 'acme', ids: ['1234:0001'], sriov: true }] }],
});

test('VFs have the BARs and vectors that the description gives them', () => {
  const vf = new Machine(description).function('0000:01:00.2');
  expect(vf.resources.map(({ length }) => length).slice(0, 6)).toEqual([16384, 0, 4096, 0, 0, 0]);
  expect([vf.vendor, vf.device, vf.config.read(0, 4)]).toEqual([0x1234, 2, 0xffffffff]);
  const msix = vf.findCapability(0x11);
  expect(vf.config.read(msix + 2, 2) & 0x7ff).toBe(2);
});

test('a model of silicon puts registers behind the BARs of a function that it knows', () => {
  const registers = new MemoryBlock(4096);
  registers.write(0x10, 4, 0x600d);
  const asked: string[] = [];
  const model: SiliconModel = {
    describe(name, description) {
      asked.push(name);
      return { ...description, bars: [{ size: 4096, kind: 'memory', block: registers }] };
    },
  };
  const machine = new Machine(description, {
    register: (host) => host.register(SILICON, { useValue: model }),
  });
  const pdev = machine.function(PF);
  pdev.enable();
  expect(pdev.barMemory(0).read(0x10, 4)).toBe(0x600d);
  expect(asked).toEqual([PF]);
});

test('what a native driver leaves at its function goes with the driver', async () => {
  const data = {};
  const machine = new Machine(description, {
    register: (host) =>
      host.register(NATIVE_DRIVERS, { useValue: { name: 'acme', probe: () => data } }),
  });
  const pdev = machine.function(PF);
  expect(pdev.driverData).toBe(data);
  await machine.sysfs.write(`/sys/bus/pci/drivers/acme/unbind`, PF);
  expect(pdev.driverData).toBeUndefined();
});
