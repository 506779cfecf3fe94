import type { DependencyContainer } from 'tsyringe';
import { MatrixBusDesign } from './design/matrix-bus-design.js';
import { VfioApDesign } from './design/vfio-ap-design.js';
import { AP_DESIGNS } from './tokens.js';

/** Registers today's design and the one that was not taken, the latter with both answers to who may take queues back. */
export function registerAp(container: DependencyContainer): void {
  container.register(AP_DESIGNS, { useValue: new VfioApDesign() });
  container.register(AP_DESIGNS, { useValue: new MatrixBusDesign('strict') });
  container.register(AP_DESIGNS, { useValue: new MatrixBusDesign('forced') });
}
