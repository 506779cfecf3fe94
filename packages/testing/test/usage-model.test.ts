import { AddressSpace, type DmaSpace, type UsageModel } from '@vfiokit/iommu';
import { usageModelCases } from '../src/contracts/usage-model.js';
import { describeUsageModel } from '../src/index.js';
import { describeBroken } from './broken.js';

/** Maps one page for every section of the guest's memory, and asks for whatever it may ask for. */
function eager(override: Partial<UsageModel> = {}): UsageModel {
  return {
    name: 'eager',
    sharedBy: 'everybody',
    filledBy: 'a test',
    otherwise: 'create',
    groupsPerSpace: null,
    lacks: ({ protects, ranges }, { ram }) => [
      ...(protects ? [] : ['protection: there is none']),
      ...(ranges.some(({ end }) => end >= ram[0]!.end) ? [] : ['ranges: memory does not fit']),
    ],
    key: (_device, system) => system,
    populate(space, { addressSpace, group }, { system }) {
      const { registersMemory, dynamicWindows, nesting } = space.capabilities;
      if (registersMemory) space.register?.(2 ** 40, 4096);
      if (dynamicWindows) space.addWindow?.({ start: 0, size: 2 ** 30, pageShift: 12 });
      if (nesting) space.nest?.(group, { root: 0, width: 48 });
      const stops = [system, addressSpace].map((source) => source.listen(mapper(space)));
      return () => {
        for (const stop of stops) stop();
        if (registersMemory) space.unregister?.(2 ** 40, 4096);
      };
    },
    ...override,
  };
}

const mapper = (space: DmaSpace) => ({
  added: ({ start }: { readonly start: number }) => void space.map(start, 2 ** 40, 4096, 3),
  removed: ({ start }: { readonly start: number }) => void space.unmap(start, 4096),
});

describeUsageModel(() => eager());

describeBroken('a usage model', usageModelCases, {
  'says who shares and who fills, for people': () => eager({ sharedBy: '' }),
  'lacks nothing in spaces that can do everything': () => eager({ lacks: () => ['more: always'] }),
  'names what is missing in spaces that protect nothing': () => eager({ lacks: () => [] }),
  'decides by what spaces can do, not by what they are called': () =>
    eager({ lacks: ({ name }) => (name.startsWith('type1') ? [] : ['type1: it is none']) }),
  "files a device under the guest's memory or its own address space, always the same": () =>
    eager({ key: () => new AddressSpace('another') }),
  'asks only for what spaces say that they can do': () =>
    eager({
      populate(space) {
        space.register?.(0, 4096);
        return () => space.unregister?.(0, 4096);
      },
    }),
  'leaves nothing mapped or registered when it is stopped': () =>
    eager({
      populate(space) {
        space.register?.(0, 4096);
        return () => {};
      },
    }),
  'follows the guest no longer once it is stopped': () =>
    eager({
      populate(space, _device, { system }) {
        system.listen(mapper(space));
        return () => {};
      },
    }),
});
