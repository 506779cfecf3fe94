import type { PciDeviceId } from './vfio-pci-driver.js';

/** What the module parameter `ids` adds, and what of it could not be read. */
export interface ModuleIds {
  readonly ids: readonly PciDeviceId[];
  /** One line each, as the kernel would log it. */
  readonly warnings: readonly string[];
}

const FIELDS = ['vendor', 'device', 'subvendor', 'subdevice', 'class', 'classMask'] as const;

/**
 * Reads `vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]`, hexadecimal and separated by commas. An item with
 * fewer than two numbers is passed over with a warning (vfio_pci.c: vfio_pci_fill_ids).
 */
export function parseModuleIds(text: string): ModuleIds {
  const ids: PciDeviceId[] = [];
  const warnings: string[] = [];
  for (const item of text.split(',')) {
    if (item === '') continue;
    const numbers = leadingHex(item.split(':'));
    if (numbers.length < 2) {
      warnings.push(`invalid id string "${item}"`);
      continue;
    }
    ids.push(Object.fromEntries(numbers.map((number, i) => [FIELDS[i], number])) as PciDeviceId);
  }
  return { ids, warnings };
}

/** As many fields as are hexadecimal, six at most. */
function leadingHex(words: readonly string[]): number[] {
  const numbers: number[] = [];
  for (const word of words.slice(0, FIELDS.length)) {
    if (!/^(0x)?[0-9a-f]{1,8}$/i.test(word)) break;
    numbers.push(Number.parseInt(word, 16));
  }
  return numbers;
}
