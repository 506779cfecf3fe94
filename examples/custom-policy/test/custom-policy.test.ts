import { findDevice, groupOf, LINUX_7_2, readHost, selectionPolicyCases } from '@vfiokit/binder';
import { certified, main } from '@vfiokit/example-custom-policy';
import { openMachine } from '@vfiokit/host';
import { describe, expect, test } from 'vitest';

const { sysfs } = await openMachine('x86-server');
const host = await readHost(sysfs);
const device = findDevice(host, '0000:17:00.1');

describe('a policy of one’s own', () => {
  const policy = certified(new Set([0x15b3]));
  const request = { policy: 'certified', mode: 'strict' } as const;
  const input = {
    request,
    device,
    group: groupOf(host, device),
    host,
    index: undefined,
    knowledge: LINUX_7_2,
  };
  for (const [title, run] of Object.entries(selectionPolicyCases(() => ({ policy, input }))))
    test(title, run);

  test('stands beside the others', async () => {
    const lines: string[] = [];
    await main((line) => lines.push(...line.split('\n')));
    const drivers = lines
      .filter((line) => line.includes('certified'))
      .map((line) => line.trim().split(/\s+/)[1]);
    expect(drivers).toEqual(['mlx5_vfio_pci', 'vfio-pci']);
  });
});
