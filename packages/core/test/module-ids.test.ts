import { describe, expect, it } from 'vitest';
import { parseModuleIds } from '../src/module-ids.js';

describe('the module parameter ids', () => {
  it('[core:C9.4] reads two to six hexadecimal numbers an item', () => {
    expect(parseModuleIds('8086:1572,,1234:11e8:1af4:1100:ff0000:ffffff')).toEqual({
      ids: [
        { vendor: 0x8086, device: 0x1572 },
        {
          vendor: 0x1234,
          device: 0x11e8,
          subvendor: 0x1af4,
          subdevice: 0x1100,
          class: 0xff0000,
          classMask: 0xffffff,
        },
      ],
      warnings: [],
    });
  });

  it('[core:C9.5] passes an item with one number over, with a warning', () => {
    const { ids, warnings } = parseModuleIds('8086,1234:11e8,nonsense');
    expect(ids).toEqual([{ vendor: 0x1234, device: 0x11e8 }]);
    expect(warnings).toEqual(['invalid id string "8086"', 'invalid id string "nonsense"']);
  });
});
