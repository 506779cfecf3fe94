import { openFunction, type VfioPciDriver } from '@vfiokit/core';
import { type BarDescription, type PciDevice, PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';

export interface Ids {
  readonly vendor: number;
  readonly device: number;
}

/** A VF whose PF has this native driver. */
export function vfOf(
  ids: Ids,
  native: unknown,
  bars: readonly (BarDescription | undefined)[] = [],
): PciDevice {
  const topology = new PciTopology();
  const physfn = topology.add('0000:01:00.0', {
    config: buildConfig({ ...ids, sriov: { totalVfs: 2, numVfs: 1, vfDevice: ids.device } }),
  });
  physfn.driverData = native;
  return topology.add('0000:01:00.1', { config: buildConfig(ids), bars }, { physfn, ids });
}

/** A function that is no VF. */
export function pfOf(ids: Ids, bars: readonly (BarDescription | undefined)[] = []): PciDevice {
  return new PciTopology().add('0000:01:00.0', { config: buildConfig(ids), bars });
}

export function open(pdev: PciDevice, driver: VfioPciDriver) {
  const opened = openFunction(pdev, { driver });
  const client = new DeviceClient(opened.device, opened.process);
  return {
    ...opened,
    client,
    [Symbol.dispose]() {
      client.close();
      opened[Symbol.dispose]();
    },
  };
}

/** The code of what opening fails with. */
export function refusal(pdev: PciDevice, driver: VfioPciDriver): string | undefined {
  try {
    open(pdev, driver)[Symbol.dispose]();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
}

export function readAll(file: { read(into: Uint8Array): number }): Uint8Array {
  const parts: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(1000);
    const count = file.read(buffer);
    if (count <= 0) return Buffer.concat(parts);
    parts.push(buffer.subarray(0, count));
  }
}
