// A policy of one's own: a data centre that trusts variant drivers only in racks that were certified for them.
import {
  ALIAS_BEST_MATCH,
  compareDecisions,
  GENERIC,
  ModuleIndex,
  Planner,
  readHost,
  readUsage,
  registerBinder,
  renderComparison,
  SELECTION_POLICIES,
  type SelectionPolicy,
} from '@vfiokit/binder';
import { openMachine } from '@vfiokit/host';
import { container as root } from 'tsyringe';

/** Takes the best match for certified vendors, and plain vfio-pci for all others. */
export function certified(vendors: ReadonlySet<number>): SelectionPolicy {
  return {
    name: 'certified',
    summary: 'variants for certified vendors only',
    choose(input) {
      const vendor = input.device.ids.value?.vendor;
      const trusted = vendor !== undefined && vendors.has(vendor);
      const answer = (trusted ? ALIAS_BEST_MATCH : GENERIC).choose(input);
      return {
        ...answer,
        rule: `certified: ${trusted ? 'this vendor is' : 'this vendor is not'}; ${answer.rule}`,
      };
    },
  };
}

export async function main(print: (line: string) => void): Promise<void> {
  const container = root.createChildContainer();
  registerBinder(container);
  container.register(SELECTION_POLICIES, { useValue: certified(new Set([0x15b3])) });
  const planner = container.resolve(Planner);

  const { sysfs } = await openMachine('x86-server', {
    vfioDrivers: [{ name: 'mlx5_vfio_pci', ids: [{ vendor: 0x15b3, device: 0x101e }] }],
  });
  const host = await readHost(sysfs);
  const index = await ModuleIndex.read(sysfs, host.release!);
  const input = { host, index, usage: await readUsage(sysfs, host) };
  for (const device of ['0000:17:00.1', '0000:3b:10.0']) {
    const decisions = ['generic', 'alias-best-match', 'certified'].map((policy) =>
      planner.plan(device, input, { policy, mode: 'strict' }),
    );
    print(renderComparison(device, compareDecisions(decisions)).trimEnd());
  }
}
