import type { PciFunctionFacts } from '@vfiokit/driver-model';
import type { PciDevice } from '@vfiokit/pci';
import type { FunctionSpec } from './description.js';

/** What the PCI bus shows of a function: its silicon's word, and what the description adds. */
export function functionFacts(pdev: PciDevice, spec: FunctionSpec | undefined): PciFunctionFacts {
  const { sriov } = spec ?? {};
  const { vendor, device, subsystemVendor, subsystemDevice, revision, headerType } = pdev;
  return {
    vendor,
    device,
    subsystemVendor,
    subsystemDevice,
    class: pdev.class,
    revision,
    headerType,
    irq: pdev.irq,
    resources: pdev.resources,
    resetMethods: pdev.resetMethods.map(({ name }) => name),
    readConfig: () => pdev.function.config.bytes.slice(),
    reset: () => pdev.tryResetFunction(),
    ...(spec?.bootVga === undefined ? {} : { bootVga: spec.bootVga }),
    ...(spec?.numaNode === undefined ? {} : { numaNode: spec.numaNode }),
    ...(sriov === undefined
      ? {}
      : {
          sriov: {
            totalVfs: sriov.total,
            offset: sriov.offset,
            stride: sriov.stride,
            vfDevice: parseInt(sriov.device, 16),
          },
        }),
  };
}
