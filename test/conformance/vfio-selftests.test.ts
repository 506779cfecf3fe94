// Cases of the kernel's tools/testing/selftests/vfio that open a whole device, by their names.
import { openFunction, registerCore, VfioPci, type VfioPciCoreDevice } from '@vfiokit/core';
import {
  DevVfio,
  GENERIC_IOMMU,
  type IommuGroup,
  IommuGroups,
  registerIommu,
  type Type1,
  VfioGroups,
} from '@vfiokit/iommu';
import { type PciDevice, type PciFunction, PciTopology, type RegisterBlock } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient, Process, type VfioDevice, VfioError } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, test } from 'vitest';

const PAGE = 4096;
/** Where the test has its memory, and where the device finds it. */
const MEMORY = 0x7f00_0000_0000;
const IOVA = 0x100000;
const CONFIG = 7;
const [COMMAND, STATUS_DONE, STATUS_ERROR] = [0x04, 1, 2];
const [MSI, MSIX] = [1, 2];
const VECTORS = 4;

/** A device that copies memory: source at 0, destination at 8, length at 16; a write to 20 starts it; status at 24. */
class CopyEngine implements RegisterBlock {
  readonly #registers = new DataView(new ArrayBuffer(64));
  self: PciFunction | undefined;

  read(offset: number): number {
    return offset + 4 <= 64 ? this.#registers.getUint32(offset, true) : 0;
  }

  write(offset: number, _size: number, value: number): void {
    if (offset + 4 > 64) return;
    this.#registers.setUint32(offset, value, true);
    if (offset === 20) this.#registers.setUint32(24, this.#copy(), true);
    if (offset === 28) this.self!.raise(value);
  }

  reset(): void {
    for (let at = 0; at < 64; at += 4) this.#registers.setUint32(at, 0, true);
  }

  #copy(): number {
    const bytes = new Uint8Array(this.#registers.getUint32(16, true));
    const [from, to] = [0, 8].map((at) => this.#registers.getBigUint64(at, true));
    if (this.self!.readMemory(from!, bytes) < 0) return STATUS_ERROR;
    return this.self!.writeMemory(to!, bytes) < 0 ? STATUS_ERROR : STATUS_DONE;
  }
}

/** The engine in a function with MSI and MSI-X, opened, with memory that is mapped for it. */
function open() {
  const engine = new CopyEngine();
  const config = buildConfig({
    vendor: 0x1234,
    device: 0x0001,
    msix: { vectors: VECTORS, bar: 1 },
  });
  const view = new DataView(config.buffer);
  // MSI with four vectors before MSI-X in the list.
  view.setUint8(0x41, 0x50);
  view.setUint32(0x50, 0x0084_8005, true);
  const pdev = new PciTopology().add('0000:00:03.0', {
    config,
    bars: [
      { kind: 'memory', size: PAGE, block: engine },
      { kind: 'memory', size: PAGE },
    ],
    onReset: () => engine.reset(),
  });
  engine.self = pdev.function;
  const opened = openFunction(pdev);
  const { process, container } = opened;
  const memory = new Uint8Array(16 * PAGE);
  process.memory.map({ address: MEMORY, size: memory.length, writable: true, bytes: memory });
  const [group] = container.resolve(VfioGroups);
  pdev.function.dma = group!.iommuGroup.dma;
  const type1 = group!.container!.iommu as Type1;
  type1.map({ iova: IOVA, size: memory.length, vaddr: MEMORY, access: 3 }, process);
  const client = new DeviceClient(opened.device, process);
  const { device } = opened;
  const write64 = (offset: number, value: number) => {
    device.write(0, offset, 4, value % 2 ** 32);
    device.write(0, offset + 4, 4, Math.floor(value / 2 ** 32));
  };
  const setUp = () => {
    // Memory and bus master.
    device.write(CONFIG, COMMAND, 2, 6);
  };
  const copy = (from: number, to: number, length: number): number => {
    write64(0, from);
    write64(8, to);
    device.write(0, 16, 4, length);
    device.write(0, 20, 4, 1);
    return device.read(0, 24, 4);
  };
  return { ...opened, pdev, client, memory, setUp, copy };
}

describe('vfio_pci_device_test', () => {
  test('config_space_read_write: what user space writes it reads, where it may write', () => {
    const { device, client, pdev } = open();
    expect(client.regionInfo(CONFIG)).toMatchObject({ size: 4096, flags: 3 });
    expect(device.read(CONFIG, 0, 4)).toBe(0x00011234);
    device.write(CONFIG, COMMAND, 2, 6);
    expect([device.read(CONFIG, COMMAND, 2), pdev.config.read(COMMAND, 2) & 6]).toEqual([6, 6]);
    device.write(CONFIG, COMMAND, 2, 0);
    expect(device.read(CONFIG, COMMAND, 2)).toBe(0);
    device.write(CONFIG, 0, 4, 0xffffffff);
    expect(device.read(CONFIG, 0, 4)).toBe(0x00011234);
  });

  test('validate_bars: sizes are those of the registers, and what lies behind can be mapped', () => {
    const { device, client } = open();
    for (let bar = 0; bar < 6; bar += 1) {
      const { size, flags } = client.regionInfo(bar);
      device.write(CONFIG, 0x10 + 4 * bar, 4, 0xffffffff);
      const mask = device.read(CONFIG, 0x10 + 4 * bar, 4) & ~0xf;
      expect(-mask | 0).toBe(size);
      expect((flags & 4) !== 0).toBe(size > 0);
    }
  });

  test.each([
    ['MSI', MSI],
    ['MSI-X', MSIX],
  ])('enable_trigger_disable: every vector of %s goes where it was sent', (_name, index) => {
    const { client, device, setUp } = open();
    setUp();
    expect(client.irqInfo(index).count).toBe(VECTORS);
    const fired = Array<number>(VECTORS).fill(0);
    const sinks = fired.map((_, vector) => () => {
      fired[vector]! += 1;
    });
    client.setIrqs({ index, eventfds: sinks });
    client.setIrqs({ index, count: VECTORS });
    expect(fired).toEqual([1, 1, 1, 1]);
    for (let vector = 0; vector < VECTORS; vector += 1) device.write(0, 28, 4, vector);
    expect(fired).toEqual([2, 2, 2, 2]);
    client.disableIrqs(index);
    device.write(0, 28, 4, 0);
    expect(fired).toEqual([2, 2, 2, 2]);
  });

  test('reset: the device starts anew, and stays usable', () => {
    const { client, copy, device, setUp, memory } = open();
    expect(client.info().flags & 1).toBe(1);
    setUp();
    memory.fill(7, 0, 64);
    device.write(0, 8, 4, 0x1234);
    device.write(CONFIG, COMMAND, 2, 6);
    expect(device.read(0, 8, 4)).toBe(0x1234);
    client.reset();
    expect(device.read(0, 8, 4)).toBe(0);
    setUp();
    expect(copy(IOVA, IOVA + PAGE, 64)).toBe(STATUS_DONE);
    expect(memory.subarray(PAGE, PAGE + 64).every((byte) => byte === 7)).toBe(true);
  });
});

describe('vfio_pci_driver_test', () => {
  test('init_remove: over and over', () => {
    for (let turn = 0; turn < 10; turn += 1) {
      const opened = open();
      opened.setUp();
      opened[Symbol.dispose]();
      expect(opened.pdev.driverData).toBeUndefined();
      expect(opened.process.lockedBytes).toBe(0);
    }
  });

  test('memcpy_success: bytes arrive, and no others change', () => {
    const { copy, setUp, memory } = open();
    setUp();
    for (let at = 0; at < PAGE; at += 1) memory[at] = at % 251;
    expect(copy(IOVA, IOVA + 2 * PAGE, PAGE)).toBe(STATUS_DONE);
    expect(memory.subarray(2 * PAGE, 3 * PAGE)).toEqual(memory.subarray(0, PAGE));
    expect([memory[2 * PAGE - 1], memory[3 * PAGE]]).toEqual([0, 0]);
  });

  test.each([
    ['memcpy_from_unmapped_iova', IOVA - PAGE, IOVA],
    ['memcpy_to_unmapped_iova', IOVA, IOVA - PAGE],
  ])('%s: fails, and the next one works', (_name, from, to) => {
    const { copy, setUp, memory } = open();
    setUp();
    memory.fill(9);
    expect(copy(from, to, 64)).toBe(STATUS_ERROR);
    expect(memory.every((byte) => byte === 9)).toBe(true);
    expect(copy(IOVA, IOVA + PAGE, 64)).toBe(STATUS_DONE);
  });

  test('send_msi: one for each that was asked for', () => {
    const { client, device, setUp } = open();
    setUp();
    const fired: number[] = [];
    client.setIrqs({ index: MSI, eventfds: [() => fired.push(1)] });
    for (let turn = 0; turn < 100; turn += 1) device.write(0, 28, 4, 0);
    expect(fired).toHaveLength(100);
  });

  test('mix_and_match: copies, faults and interrupts in turn', () => {
    const { client, copy, device, setUp, memory } = open();
    setUp();
    const fired: number[] = [];
    client.setIrqs({ index: MSIX, eventfds: [() => fired.push(1)] });
    for (let turn = 1; turn <= 20; turn += 1) {
      memory.fill(turn, 0, 64);
      expect(copy(IOVA, IOVA + PAGE, 64)).toBe(STATUS_DONE);
      expect(memory[PAGE + 63]).toBe(turn);
      expect(copy(IOVA, 0, 64)).toBe(STATUS_ERROR);
      device.write(0, 28, 4, 0);
      expect(fired).toHaveLength(turn);
    }
  });

  test('memcpy_storm: many copies one after the other', () => {
    const { copy, setUp, memory } = open();
    setUp();
    for (let at = 0; at < 4 * PAGE; at += 1) memory[at] = at % 253;
    for (let turn = 0; turn < 500; turn += 1)
      expect(copy(IOVA, IOVA + 8 * PAGE, 4 * PAGE)).toBe(STATUS_DONE);
    expect(memory.subarray(8 * PAGE, 12 * PAGE)).toEqual(memory.subarray(0, 4 * PAGE));
  });
});

const UUIDS = {
  same_uuid: '52ac9bff-3a88-4fbd-901a-0d767c3b6c97',
  diff_uuid: '88594674-90a0-47a9-aea8-9d9b352ac08a',
  null_uuid: undefined,
} as const;
const PF_UUID = UUIDS.same_uuid;

/** A PF with a VF, both on vfio-pci; opening gives `opened` or the error's name. */
function family() {
  const container = root.createChildContainer();
  registerIommu(container);
  registerCore(container, { parameters: { enable_sriov: true } });
  const vfio = container.resolve(VfioPci);
  const process = new Process();
  const group = (): IommuGroup => container.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
  const sriov = { totalVfs: 2, numVfs: 0, vfDevice: 2 };
  const bind = (pdev: PciDevice) => vfio.bind(pdev, group());
  const config = buildConfig({ vendor: 0x1234, device: 1, sriov });
  const pf = bind(new PciTopology().add('0000:01:00.0', { config, configSize: 4096 }));
  vfio.setNumVfs(pf, 1);
  const vf = bind(pf.pdev.virtualFunctions[0]!);
  const open = (core: VfioPciCoreDevice, uuid: string | undefined) => {
    const file = container.resolve(VfioGroups).openGroup(core.iommuGroup!.id, process);
    const memory = container.resolve(DevVfio).openContainer();
    file.group.setContainer(memory, process);
    memory.setIommu(3, process);
    try {
      return file.getDevice(uuid ? `${core.name} vf_token=${uuid}` : core.name, process);
    } catch (error) {
      return error instanceof VfioError ? error.code : 'thrown';
    } finally {
      file.close();
    }
  };
  const outcome = (result: ReturnType<typeof open>) =>
    typeof result === 'string' ? result : 'opened';
  return { pf, vf, open, outcome };
}

/** Closes what is open; an error is none. */
function closed(result: VfioDevice | string): void {
  if (typeof result === 'string') throw new RangeError(`not opened: ${result}`);
  result.close();
}

describe.each(Object.entries(UUIDS))('vfio_pci_sriov_uapi_test (%s)', (name, uuid) => {
  const wanted = name === 'same_uuid' ? 'opened' : 'EACCES';

  test('init_token_match: a VF opens with the token that its PF was opened with', () => {
    const { pf, vf, open, outcome } = family();
    expect(outcome(open(pf, PF_UUID))).toBe('opened');
    expect(outcome(open(vf, uuid))).toBe(wanted);
  });

  test('pf_early_close: and after the PF was closed, too', () => {
    const { pf, vf, open, outcome } = family();
    closed(open(pf, PF_UUID));
    expect(outcome(open(vf, uuid))).toBe(wanted);
  });

  test('override_token: the PF takes another token while no VF is open, and its own while one is', () => {
    const { pf, vf, open, outcome } = family();
    closed(open(pf, UUIDS.diff_uuid));
    closed(open(pf, PF_UUID));
    expect(outcome(open(vf, uuid))).toBe(wanted);
    const held = family();
    closed(held.open(held.pf, PF_UUID));
    expect(held.outcome(held.open(held.vf, PF_UUID))).toBe('opened');
    expect(held.outcome(held.open(held.pf, uuid))).toBe(wanted);
  });
});
