import type { VfioPciDriver } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';

/** A function that no vendor has. */
export const IDS = { vendor: 0x1234, device: 0x0001 };

/** A driver that puts these into its device's container. */
export const bringing = (add: (container: DependencyContainer) => void): VfioPciDriver => ({
  name: 'test-driver',
  ids: [{ vendor: IDS.vendor }],
  dmaBuf: false,
  probe: (_, container) => add(container),
});
