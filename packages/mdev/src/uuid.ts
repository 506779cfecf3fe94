import { VfioError } from '@vfiokit/uapi';

/** A UUID as sysfs names a mediated device by it: lower case, with dashes. */
export type Uuid = string;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LENGTH = 36;

/**
 * Reads the UUID that is written to a type's `create`: exactly 36 characters in any case, and at most one more, whatever
 * it is (mdev_sysfs.c: create_store).
 *
 * @throws VfioError `EINVAL`.
 */
export function parseUuid(text: string): Uuid {
  const uuid = text.slice(0, LENGTH);
  if (text.length > LENGTH + 1 || !UUID.test(uuid))
    throw new VfioError(
      'EINVAL',
      `${JSON.stringify(text.slice(0, 60))}: no UUID; write one such as 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001`,
    );
  return uuid.toLowerCase();
}
