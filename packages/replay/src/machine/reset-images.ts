import {
  type FunctionDescription,
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_5,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_CACHE_LINE_SIZE,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_COMMAND,
  PCI_LATENCY_TIMER,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_PM_CTRL,
  PCI_PM_CTRL_STATE_MASK,
  PCI_ROM_ADDRESS,
  walkCapabilities,
} from '@vfiokit/pci';
import type { HwProbe } from '../trace/trace.js';
import { disableVfs } from './sriov-registers.js';
import { unhex } from './unhex.js';

/** The registers of a function once it exists. */
export interface LiveRegisters {
  bytes?: Uint8Array;
}

/**
 * What resets do to the registers. The probe reset the function once by each method, with nothing saved or restored:
 * registers that changed then take that value in every reset, all others stay as they are. A method that was not probed
 * does what another does; without any probe the registers are switched off.
 */
export function resetImages(
  probe: HwProbe | undefined,
  registers: LiveRegisters,
): NonNullable<FunctionDescription['resets']> {
  const before = unhex(probe?.config ?? '');
  const image = (after: string) => {
    const bytes = unhex(after);
    const changed: number[] = [];
    for (let i = 0; i < Math.max(bytes.length, before.length); i += 1)
      if ((bytes[i] ?? 0) !== (before[i] ?? 0)) changed.push(i);
    return () => {
      const now = registers.bytes!.slice();
      for (const i of changed) now[i] = bytes[i] ?? 0;
      return disableVfs(now);
    };
  };
  const flr = probe?.after_raw_flr ?? probe?.after_raw_af;
  const soft = probe?.after_raw_d3_d0;
  const lazily = (after: string | undefined) => ({
    get: after === undefined ? () => switchedOff(registers.bytes!) : image(after),
  });
  return Object.defineProperties(
    {},
    { flr: lazily(flr ?? soft), soft: lazily(soft ?? flr), bus: lazily(soft ?? flr) },
  );
}

/** The least that any reset does: nothing is decoded any more, no message is sent, the function is awake. */
function switchedOff(live: Uint8Array): Uint8Array {
  const bytes = live.slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(PCI_COMMAND, 0, true);
  bytes[PCI_CACHE_LINE_SIZE] = 0;
  bytes[PCI_LATENCY_TIMER] = 0;
  for (let at = PCI_BASE_ADDRESS_0; at <= PCI_BASE_ADDRESS_5; at += 4) {
    const typeBits = (bytes[at]! & PCI_BASE_ADDRESS_SPACE_IO) !== 0 ? 0x3 : 0xf;
    view.setUint32(at, view.getUint32(at, true) & typeBits, true);
  }
  view.setUint32(PCI_ROM_ADDRESS, 0, true);
  for (const { id, at } of walkCapabilities(bytes).capabilities) {
    if (id === PCI_CAP_ID_MSI)
      bytes[at + PCI_MSI_FLAGS]! &= ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    if (id === PCI_CAP_ID_MSIX)
      bytes[at + PCI_MSIX_FLAGS + 1]! &= ~((PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >>> 8);
    if (id === PCI_CAP_ID_PM) bytes[at + PCI_PM_CTRL]! &= ~PCI_PM_CTRL_STATE_MASK;
  }
  return disableVfs(bytes);
}
