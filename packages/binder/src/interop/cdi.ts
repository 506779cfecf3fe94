import type { Decision } from '../decision/decision.js';

/** A Container Device Interface specification: a device for each decision, with the nodes of its group. */
export function emitCdi(decisions: readonly Decision[]): string {
  const node = (path: string) => ({ path, permissions: 'rw' });
  const document = {
    cdiVersion: '0.6.0',
    kind: 'vfiokit/vfio',
    containerEdits: { deviceNodes: [node('/dev/vfio/vfio')] },
    devices: decisions
      .filter(({ group }) => group !== null)
      .map(({ request, group }) => ({
        name: request.device,
        containerEdits: { deviceNodes: [node(`/dev/vfio/${group!.number}`)] },
      })),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
