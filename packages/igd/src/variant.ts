import { COLUMN, firmwareRecord, optionalColumn, SILICON, type Variant } from '@vfiokit/core';
import { PCI_CLASS_REVISION, PCI_VENDOR_ID } from '@vfiokit/pci';
import { ASLS } from './asls.js';
import { isGraphics } from './igd.js';
import { registerIgd } from './register.js';

const OPREGION_AT = 0x6f00_0000;
const OPREGION_BYTES = 0x2000;
const VBT_BYTES = 0x1800;

/**
 * Joins machines whose firmware left an OpRegion in memory: `firmware: { opregion: { vbt: true } }`, where `vbt` says
 * that the VBT is behind it rather than inside. Version 2.1, at 0x6f000000.
 */
export const igdVariant: Variant = (host, machine) => {
  const table = firmwareRecord(machine, 'opregion', { vbt: optionalColumn(COLUMN.flag, false) });
  if (table === undefined) return;
  const memory = opregion(table.vbt);
  registerIgd(host, {
    platform: {
      map: (address, length) => {
        const from = address - OPREGION_AT;
        return from < 0 || from + length > memory.length
          ? undefined
          : memory.subarray(from, from + length);
      },
      getDevice: (name, graphics) => graphics.bus.topology.find(name),
    },
  });
  // Firmware writes the address when the machine starts; no reset takes it away.
  host.register(SILICON, {
    useValue: {
      describe(_, description) {
        const view = viewOf(description.config);
        const class_ = view.getUint32(PCI_CLASS_REVISION, true) >>> 8;
        if (!isGraphics({ vendor: view.getUint16(PCI_VENDOR_ID, true), class: class_ }))
          return description;
        const config = description.config.slice();
        viewOf(config).setUint32(ASLS, OPREGION_AT, true);
        return { ...description, config };
      },
    },
  });
};

function opregion(vbt: boolean): Uint8Array {
  const memory = new Uint8Array(OPREGION_BYTES + (vbt ? VBT_BYTES : 0));
  const view = viewOf(memory);
  const text = new TextEncoder();
  memory.set(text.encode('IntelGraphicsMem'));
  view.setUint32(0x10, OPREGION_BYTES / 1024, true);
  view.setUint16(0x16, 0x0201, true);
  if (!vbt) return memory;
  view.setBigUint64(0x3ba, BigInt(OPREGION_BYTES), true);
  view.setUint32(0x3c2, VBT_BYTES, true);
  memory.set(text.encode('$VBT'), OPREGION_BYTES);
  return memory;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
