import { networkInterfaces } from 'node:os';

/**
 * The interface by which somebody who typed this came in over SSH: the one that has the address at this end of the
 * connection. undefined for who sits at the machine, or came another way.
 */
export function operatorInterface(
  connection = process.env.SSH_CONNECTION,
  interfaces = networkInterfaces(),
): string | undefined {
  const address = connection?.split(' ')[2];
  if (address === undefined) return undefined;
  return Object.entries(interfaces).find(([, addresses]) =>
    addresses?.some((one) => one.address === address),
  )?.[0];
}
