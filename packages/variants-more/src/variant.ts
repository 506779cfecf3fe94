import { NATIVE_DRIVERS, type NativeDriver, SILICON, type Variant } from '@vfiokit/core';
import { MemoryBlock } from '@vfiokit/pci';
import { FakeHisiQm } from './hisi/fake-hisi-qm.js';
import { ISM_IDS } from './ism/ism-driver.js';
import { ismMemory } from './ism/ism-memory.js';
import { FakePdsCore } from './pds/fake-pds-core.js';
import { FakeQatPf } from './qat/fake-qat-pf.js';
import { registerVariantsMore } from './register.js';
import { FakeXePf } from './xe/fake-xe-pf.js';

/** What PFs have under their own drivers: VFs in memory. */
const PFS: Readonly<Record<string, (vfDevice: number) => object>> = {
  hisi_zip: (devId) => new FakeHisiQm({ devId }),
  hisi_sec2: (devId) => new FakeHisiQm({ devId }),
  hisi_hpre: (devId) => new FakeHisiQm({ devId }),
  pds_core: () => new FakePdsCore(),
  '4xxx': () => new FakeQatPf(),
  xe: () => new FakeXePf(),
};

/** Joins every machine: the five drivers, PFs for the VFs of four, and on s390x memory behind internal shared memory. */
export const variantsMoreVariant: Variant = (host, { architecture }) => {
  const interprets = architecture === 's390x';
  registerVariantsMore(host, interprets ? { ism: ismMemory } : {});
  for (const [name, pf] of Object.entries(PFS)) {
    const useValue: NativeDriver = { name, probe: ({ sriov }) => sriov && pf(sriov.vfDevice) };
    host.register(NATIVE_DRIVERS, { useValue });
  }
  if (!interprets) return;
  host.register(SILICON, {
    useValue: {
      describe(_, description) {
        const [vendor, device] = new Uint16Array(description.config.slice(0, 4).buffer);
        if (vendor !== ISM_IDS.vendor || device !== ISM_IDS.device) return description;
        const bars = description.bars?.map(
          (bar) => bar && { ...bar, block: new MemoryBlock(bar.size) },
        );
        return { ...description, ...(bars && { bars }) };
      },
    },
  });
};
