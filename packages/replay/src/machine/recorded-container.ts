import { type KernelConfig, PLATFORM_HOOKS, registerCore } from '@vfiokit/core';
import { kernelRelease, registerIommu } from '@vfiokit/iommu';
import { container, type DependencyContainer } from 'tsyringe';
import type { Trace, TraceMeta } from '../trace/trace.js';
import { recordedInfo } from './recorded-info.js';

/** What the distribution's kernel of an architecture was built with. */
function kernelConfig({ arch, kernel, pagesize }: TraceMeta): KernelConfig {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return {
    intx: arch !== 's390x',
    vga: arch === 'x86_64',
    // s390 maps BARs since Linux 6.16.
    mmap: arch !== 's390x' || major > 6,
    newestFeature: major > 6 ? 12 : 10,
    // Exporting device memory came with Linux 6.19.
    dmabuf: major > 6 || (major === 6 && minor >= 19),
    pageSize: pagesize,
  };
}

/** A host's container with what the recorded kernel had: modules, their parameters, how it was built. */
export function recordedContainer(trace: Trace): DependencyContainer {
  const { meta } = trace;
  const on = (name: string) => meta.modparams[name] === 'Y';
  const own = container.createChildContainer();
  const limit = Number(meta.modparams.dma_entry_limit ?? 65535);
  registerIommu(own, {
    parameters: {
      pageSize: meta.pagesize,
      allowUnsafeInterrupts: on('allow_unsafe_interrupts'),
      dmaEntryLimit: limit,
      release: kernelRelease(meta.kernel),
      deviceCdev: false,
    },
    backends: [meta.arch.startsWith('ppc64') ? 'spapr-tce' : 'type1', 'noiommu'],
  });
  registerCore(own, {
    parameters: {
      nointxmask: on('nointxmask'),
      disable_vga: on('disable_vga'),
      disable_idle_d3: on('disable_idle_d3'),
      enable_sriov: on('enable_sriov'),
      disable_denylist: on('disable_denylist'),
      ids: meta.modparams.ids ?? '',
    },
    kernel: kernelConfig(meta),
  });
  const info = recordedInfo(trace);
  if (info !== undefined) own.register(PLATFORM_HOOKS, { useValue: info });
  return own;
}
