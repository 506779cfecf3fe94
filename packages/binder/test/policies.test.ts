import { findDevice, groupOf, LINUX_7_2, POLICIES, selectionPolicyCases } from '@vfiokit/binder';
import { describe, test } from 'vitest';
import { testbed, V } from './testbed.js';

const { host, index } = await testbed().input();
const device = findDevice(host, V);

describe.each(POLICIES)('the policy $name', (policy) => {
  const request = { policy: policy.name, mode: 'strict', driver: 'vfio-pci' } as const;
  const input = {
    request,
    device,
    group: groupOf(host, device),
    host,
    index,
    knowledge: LINUX_7_2,
  };
  for (const [title, run] of Object.entries(selectionPolicyCases(() => ({ policy, input }))))
    test(title, run);
});
