import {
  DIRTY_LOG,
  MIGRATION,
  OPEN_HOOKS,
  OPS_NAME,
  pfDriverData,
  RELEASE_HOOKS,
  type VfioPciDriver,
  vfIndex,
} from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import type { Sleep } from '../sleep.js';
import { PdsCore } from './pds-core.js';
import { PdsDirtyLog } from './pds-dirty-log.js';
import { PdsMigration } from './pds-migration.js';
import { PdsVf } from './pds-vf.js';

const RESET_DONE = 1;

/** The driver of Pensando's Ethernet VFs (drivers/vfio/pci/pds). */
export function pdsDriver(sleep: Sleep): VfioPciDriver {
  return {
    name: 'pds_vfio_pci',
    ids: [{ vendor: 0x1dd8, device: 0x1003 }],
    dmaBuf: false,
    probe(pdev, container) {
      const index = vfIndex(pdev);
      if (index < 0) throw new VfioError('EINVAL', `${pdev.name}: is no VF`);
      const core = pfDriverData(pdev, PdsCore);
      if (typeof core === 'number')
        throw VfioError.fromErrno(core, `${pdev.name}: its PF is not bound to pds_core`);
      const client = `LM.${pdev.address.domain}-${pdev.address.routingId}`;
      const registered = core.registerClient(client);
      if (registered < 0)
        throw VfioError.fromErrno(registered, `${pdev.name}: its PF takes no client`);
      const vf = new PdsVf(core, index);
      const log = new PdsDirtyLog(vf);
      const migration = new PdsMigration(pdev.name, vf, log, sleep);
      const unlisten = core.listen(({ state }) => {
        if (state === RESET_DONE) migration.recovered();
      });
      container.register(RELEASE_HOOKS, { useValue: () => core.unregisterClient(client) });
      container.register(RELEASE_HOOKS, { useValue: unlisten });
      container.register(OPS_NAME, { useValue: 'pds-vfio' });
      container.register(MIGRATION, { useValue: migration });
      container.register(DIRTY_LOG, { useValue: log });
      container.register(OPEN_HOOKS, {
        useValue: { open: ({ defer }) => defer(() => void log.stop()) },
      });
    },
  };
}
