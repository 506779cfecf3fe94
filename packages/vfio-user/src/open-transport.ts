import { loadSystem } from './linux/system.js';
import { UnixTransport, type UnixTransportOptions } from './linux/unix-transport.js';
import { NetTransport } from './transport/net-transport.js';

/**
 * The best transport that this system has: with descriptors on Linux where koffi is installed, a plain one elsewhere. Its
 * `description` says which.
 */
export async function openTransport(
  options: UnixTransportOptions = {},
): Promise<UnixTransport | NetTransport> {
  const system = await loadSystem();
  return system === undefined ? new NetTransport() : new UnixTransport(system, options);
}
