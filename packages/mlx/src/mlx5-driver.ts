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
import type { PciDevice } from '@vfiokit/pci';
import type { DependencyContainer } from 'tsyringe';
import { Mlx5Migration } from './migration/mlx5-migration.js';
import { Vhca } from './migration/vhca.js';
import { Mlx5Core } from './mlx5-core.js';
import { PageTracker } from './page-tracker/page-tracker.js';

const PCI_VENDOR_ID_MELLANOX = 0x15b3;
/** Virtual functions of ConnectX adapters. */
const CONNECTX_VF = 0x101e;

/** The driver of ConnectX VFs: plain vfio-pci, and migratable where the PF's firmware can (drivers/vfio/pci/mlx5). */
export const MLX5_VFIO_PCI: VfioPciDriver = {
  name: 'mlx5_vfio_pci',
  ids: [{ vendor: PCI_VENDOR_ID_MELLANOX, device: CONNECTX_VF }],
  dmaBuf: false,
  probe(pdev, container) {
    container.register(OPS_NAME, { useValue: 'mlx5-vfio-pci' });
    const found = findMigratable(pdev);
    if (found !== undefined) addMigration(pdev, container, found);
  },
};

/** What a migratable VF is known by. */
interface MigratableVf {
  readonly core: Mlx5Core;
  /** From 0. */
  readonly index: number;
  readonly vhcaId: number;
}

/** One missing condition leaves a plain device (mlx5/cmd.c: mlx5vf_cmd_set_migratable). */
function findMigratable(pdev: PciDevice): MigratableVf | undefined {
  const core = pfDriverData(pdev, Mlx5Core);
  if (typeof core === 'number' || !core.interfaceUp) return undefined;
  const { migration, migrationMultiLoad, migrationTrackingState } = core.capabilities;
  if (!migration || !migrationMultiLoad || !migrationTrackingState) return undefined;
  const index = vfIndex(pdev);
  if (index < 0 || !core.isMigratable(index + 1)) return undefined;
  const vhcaId = core.vhcaId(index + 1);
  return vhcaId === undefined ? undefined : { core, index, vhcaId };
}

function addMigration(
  pdev: PciDevice,
  container: DependencyContainer,
  { core, index, vhcaId }: MigratableVf,
): void {
  const { commands, capabilities } = core;
  const vhca = new Vhca(vhcaId, commands, capabilities.migrationInChunks);
  const migration = new Mlx5Migration({
    name: pdev.name,
    vhca,
    chunk: capabilities.migrationInChunks,
    reportsInit: capabilities.migrationState,
  });
  container.register(MIGRATION, { useValue: migration });
  const tracker = capabilities.pageTrack && new PageTracker(vhca, commands, capabilities.pageTrack);
  if (tracker !== undefined) container.register(DIRTY_LOG, { useValue: tracker });
  // A PF that disables the VF takes everything away that its firmware did for it.
  const unlisten = core.listen(index, (event) => {
    vhca.detached = event === 'DISABLE_VF';
    if (!vhca.detached) return;
    migration.disable();
    tracker?.close();
  });
  container.register(RELEASE_HOOKS, { useValue: unlisten });
  container.register(OPEN_HOOKS, {
    useValue: { open: (device) => device.defer(() => tracker?.close()) },
  });
}
