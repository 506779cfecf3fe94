import { existsSync } from 'node:fs';
import type { Sysfs } from '@vfiokit/driver-model';
import { describeCapture, Machine, readCapture } from '@vfiokit/host';
import { describe, expect, test } from 'vitest';

const HOSTS = new URL('../../../../shared/hosts/', import.meta.url).pathname;

/** Every function with its driver and its group's other members. */
async function bindings(sysfs: Sysfs): Promise<Record<string, string | undefined>> {
  const names = (await sysfs.list('/sys/bus/pci/devices')) as string[];
  const found: Record<string, string | undefined> = {};
  for (const name of names.sort()) {
    const link = await sysfs.readLink(`/sys/bus/pci/devices/${name}/driver`);
    found[name] = typeof link === 'number' ? undefined : link.split('/').at(-1);
  }
  return found;
}

describe.skipIf(!existsSync(HOSTS))(
  'a captured machine on the model (shared/hosts is not here)',
  () => {
    test.each([
      'laptop-i7-1270p.tar.gz',
      'server-xeon-igbvf.tar.gz',
      'server-i40e-ve.tar.bz2',
      'pci-domain-32bit.tar.bz2',
    ])('%s boots into the state that was captured', async (name) => {
      const capture = await readCapture(`${HOSTS}${name}`);
      const machine = new Machine(await describeCapture(capture, name));
      expect(await bindings(machine.sysfs)).toEqual(await bindings(capture));
    });

    test('the recorded machine boots with its VFs, on the drivers that they have by themselves', async () => {
      const capture = await readCapture(`${HOSTS}vm-q35-sriov-vfio.tar.gz`);
      const machine = new Machine(await describeCapture(capture, 'vm'));
      const [modelled, captured] = [await bindings(machine.sysfs), await bindings(capture)];
      // Two of the four VFs were given to vfio-pci after they had appeared.
      expect(modelled).toEqual({ ...captured, '0000:01:10.0': 'igbvf', '0000:01:10.2': 'igbvf' });
    });
  },
);
