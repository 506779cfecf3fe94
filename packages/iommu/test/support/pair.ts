import {
  type DmaSpace,
  EXPLICIT,
  GuestDomain,
  GuestEndpoint,
  NAMED_BRIDGE,
  NESTED,
  PAPR_BRIDGE,
  SHADOW,
  type SpaceProvider,
  type UsageModel,
} from '@vfiokit/iommu';
import { ARENA } from './host.js';
import { OpenIommufd } from './iommufd.js';
import { type Assigned, Guest, type ProviderName } from './monitor.js';

/** A guest with a device, assigned as the model would have it. */
export function ready(
  kind: ProviderName,
  model: UsageModel,
  changes: Partial<UsageModel> = {},
  wrap?: (provider: SpaceProvider) => SpaceProvider,
): { guest: Guest; device: Assigned } {
  const guest = new Guest(kind, { ...model, ...changes }, wrap ? { wrap } : {});
  return { guest, device: assign(guest, model, 0) };
}

export function assign(guest: Guest, model: UsageModel, index: number): Assigned {
  if (model === PAPR_BRIDGE || model === NAMED_BRIDGE)
    return guest.assign(guest.bridges[index]!.addressSpace);
  if (model === SHADOW) return guest.assign(guest.endpoint(`endpoint ${index}`).addressSpace);
  const assigned = guest.assign();
  return model === NESTED
    ? { ...assigned, guestTable: () => ({ root: 0x1000, width: 48 }) }
    : assigned;
}

/** Lets the guest, or the application, map a page at 0x100000 that leads to guest address 0x3000, or unmap it. */
export function act(guest: Guest, model: UsageModel, space: DmaSpace, mapped: boolean): void {
  const iova = 0x100000;
  if (model === NESTED) writeGuestTable(guest, mapped);
  else if (model === SHADOW) {
    if (mapped) guest.domain.map(iova, 0x1000, 0x3000, 3);
    else guest.domain.unmap(iova, 0x1000);
  } else if (model === PAPR_BRIDGE || model === NAMED_BRIDGE)
    guest.calls.put(guest.bridges[0]!.tables[0]!.liobn, iova, mapped ? 0x3003n : 0n);
  else if (model === EXPLICIT && mapped) explicitMap(space, iova);
  else if (model === EXPLICIT) done(space.unmap(iova, 0x1000));
}

/** Four levels at 0x1000, 0x4000, 0x5000 and 0x6000 of the guest's memory, as VT-d walks them. */
function writeGuestTable({ host }: Guest, mapped: boolean): void {
  const entries = new DataView(host.arena.buffer);
  entries.setBigUint64(0x1000, 0x4003n, true);
  entries.setBigUint64(0x4000, 0x5003n, true);
  entries.setBigUint64(0x5000, 0x6003n, true);
  entries.setBigUint64(0x6000 + 0x100 * 8, mapped ? 0x3003n : 0n, true);
}

/** A device of another key than the one that is assigned first, as far as the model has more than one key. */
export function stranger(guest: Guest, model: UsageModel): Assigned {
  if (model === PAPR_BRIDGE || model === NAMED_BRIDGE) return assign(guest, model, 1);
  const domain = new GuestDomain('another domain');
  const endpoint = new GuestEndpoint('another endpoint');
  domain.attach(endpoint);
  return guest.assign(endpoint.addressSpace);
}

/** Spaces that call themselves something else. */
export function renamed(provider: SpaceProvider): SpaceProvider {
  return {
    capabilities: (group) => ({ ...provider.capabilities(group), name: 'something else' }),
    create: () => provider.create(),
  };
}

/** Spaces that note which of their optional operations they are asked for. */
export function watched(provider: SpaceProvider, asked: string[]): SpaceProvider {
  const optional = ['addWindow', 'removeWindow', 'register', 'unregister', 'nest'];
  return {
    capabilities: (group) => provider.capabilities(group),
    create: () =>
      new Proxy(provider.create(), {
        get(space, name) {
          const value: unknown = Reflect.get(space, name, space);
          if (typeof value !== 'function') return value;
          return (...argumentList: unknown[]) => {
            if (optional.includes(String(name))) asked.push(String(name));
            return value.apply(space, argumentList);
          };
        },
      }),
  };
}

/** How much memory counts as locked for the monitor's user: so much has to be allowed for one page more to be lockable. */
export function userCharge({ host }: Guest): number {
  const probe = new OpenIommufd(host);
  const bound = probe.bind(host.device());
  const ioas = probe.ioasAlloc();
  bound.attach(ioas);
  const { credentials } = host.process;
  const { memlock } = credentials;
  let charge = -1;
  for (let pages = 0; charge < 0; pages += 1) {
    credentials.memlock = (pages + 1) * 0x1000;
    if (typeof probe.map(ioas, ARENA, 0x1000) === 'bigint') charge = pages * 0x1000;
  }
  credentials.memlock = memlock;
  bound.close();
  host.process.fds.close(probe.fd);
  return charge;
}

/** What an application does that knows what its space wants. */
function explicitMap(space: DmaSpace, iova: number): void {
  const { registersMemory, dynamicWindows } = space.capabilities;
  if (registersMemory) space.register?.(ARENA, 0x800000);
  if (dynamicWindows) space.addWindow?.({ start: 0, size: 2 ** 30, pageShift: 12 });
  done(space.map(iova, ARENA + 0x3000, 0x1000, 3));
}

function done(result: number): void {
  if (result < 0) throw new Error(`the application is refused: ${result}`);
}
