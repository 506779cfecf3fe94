import { readHost } from '@vfiokit/binder';
import { expect, test } from 'vitest';
import { fakeRoot } from './fake-root.js';

const RELEASE = '/proc/sys/kernel/osrelease';

test.each([
  ['uname’s word', { '/proc/sys/kernel/arch': 'ppc64le\n', [RELEASE]: '7-amd64' }, 'ppc64le'],
  ['its processors', { '/proc/cpuinfo': 'vendor_id       : IBM/S390\n' }, 's390x'],
  ['its processors', { '/proc/cpuinfo': 'flags\t\t: fpu lm sse2\n', [RELEASE]: '7.2' }, 'x86_64'],
  ['the end of its release', { [RELEASE]: '7.2.12+deb13-amd64\n' }, 'x86_64'],
  ['the end of its release', { [RELEASE]: '6.9.5-200.fc40.aarch64\n' }, 'aarch64'],
  [
    'the release that the kernel tells',
    { '/proc/version': 'Linux version 3.10.0-1160.el7.x86_64 (mockbuild@x) #1 SMP\n' },
    'x86_64',
  ],
  [
    'where its compiled-in modules come from',
    {
      [RELEASE]: '7.2.0\n',
      '/lib/modules/7.2.0/modules.builtin': 'kernel/arch/s390/crypto/x.ko\n',
    },
    's390x',
  ],
  ['nothing', { [RELEASE]: '7.2.0-custom\n' }, undefined],
  [
    // There are kernels of 32 and of 64 bits in it.
    'a folder of two architectures',
    { [RELEASE]: '7.2.0\n', '/lib/modules/7.2.0/modules.builtin': 'kernel/arch/x86/x.ko\n' },
    undefined,
  ],
])('a machine’s architecture is told by %s', async (_, files, architecture) => {
  using root = fakeRoot({ '/sys/bus/pci/devices': '/', ...files });
  expect((await readHost(root.sysfs)).architecture.value).toBe(architecture);
});

test('what told it stands beside it', async () => {
  using root = fakeRoot({ '/sys/bus/pci/devices': '/', [RELEASE]: '7.2.12+deb13-amd64\n' });
  expect((await readHost(root.sysfs)).architecture.source).toBe('the kernel release ends in amd64');
});
