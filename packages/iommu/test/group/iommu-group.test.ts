import { DMA_READ, IdentityDomain, IommuGroup } from '@vfiokit/iommu';
import { UserMemory } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import { EBUSY, EINVAL, EPERM, EPROBE_DEFER } from '../support/errno.js';
import { groupStatus, StubDevice, TestHost, unsetContainer } from '../support/host.js';

describe('who owns the DMA of a group', () => {
  test('[iommu:1] a group of VFIO devices and unbound ones is viable', () => {
    const host = new TestHost();
    const device = host.device();
    device.iommuGroup!.members.add('0000:00:10.1');
    const sibling = new StubDevice('0000:00:10.2', device.iommuGroup);
    host.groups.register(sibling);
    expect(device.iommuGroup!.members.size).toBe(3);
    expect(groupStatus(host.openGroup(device), host.process)).toBe(1);
  });

  test('[iommu:2] a group with a host driver is not viable', () => {
    const host = new TestHost();
    const device = host.device();
    expect(device.iommuGroup!.useDefaultDomain('0000:00:10.1 (e1000e)')).toBe(0);
    expect(groupStatus(host.openGroup(device), host.process)).toBe(0);
  });

  test('[iommu:3] a group with a host driver gets no container', () => {
    const host = new TestHost();
    const device = host.device();
    device.iommuGroup!.useDefaultDomain('0000:00:10.1 (e1000e)');
    const container = host.container();
    expect(container.add(device)).toBe(EPERM);
    expect(container.group(device).group.container).toBeUndefined();
  });

  test('[iommu:5] no host driver binds to a sibling while the group is in a container', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    expect(device.iommuGroup!.useDefaultDomain('0000:00:10.1 (e1000e)')).toBe(EBUSY);
    expect(container.map(0, 0x100_0000_0000, 0x1000)).toBe(0);
  });

  test('[iommu:6] a host driver binds again once the container is unset', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    unsetContainer(container.group(device), host.process);
    expect(device.iommuGroup!.useDefaultDomain('0000:00:10.1 (e1000e)')).toBe(0);
  });

  test('[iommu:7] an ordinary driver waits until the group has a default domain', () => {
    const group = new IommuGroup({ id: 1, defaultDomain: null });
    expect(group.useDefaultDomain('0000:00:10.0 (e1000e)')).toBe(EPROBE_DEFER);
    group.setDefaultDomain(new IdentityDomain(new UserMemory()));
    expect(group.useDefaultDomain('0000:00:10.0 (e1000e)')).toBe(0);
  });

  test('[iommu:8] nobody cannot claim a group', () => {
    expect(new IommuGroup({ id: 1 }).claim(undefined)).toBe(EINVAL);
  });

  test('[iommu:9] a group is claimed once', () => {
    const group = new IommuGroup({ id: 1 });
    expect(group.claim({})).toBe(0);
    expect(group.claim({})).toBe(EPERM);
  });

  test('[iommu:10] an owner who claims two devices gives the group back with the second', () => {
    const memory = new UserMemory();
    memory.map({ address: 0, size: 0x1000, writable: true });
    const group = new IommuGroup({ id: 1, defaultDomain: new IdentityDomain(memory) });
    const owner = {};
    expect([group.claimDevice(owner), group.claimDevice(owner)]).toEqual([0, 0]);
    group.releaseDevice();
    expect(group.ownerClaimed).toBe(true);
    group.releaseDevice();
    expect(group.ownerClaimed).toBe(false);
    expect(group.domain.name).toBe('identity');
  });

  test('[iommu:11] a sibling of a claimed device belongs to the same owner', () => {
    const group = new IommuGroup({ id: 1 });
    expect(group.claimDevice({})).toBe(0);
    expect(group.claimDevice({})).toBe(EPERM);
  });

  test('[iommu:12] the DMA of a claimed group is blocked until something is attached', () => {
    const memory = new UserMemory();
    memory.map({ address: 0, size: 0x1000, writable: true, bytes: new Uint8Array(0x1000) });
    const group = new IommuGroup({ id: 1, defaultDomain: new IdentityDomain(memory) });
    expect(group.dma.read(0, new Uint8Array(4))).toBe(4);
    group.claim({});
    expect(group.dma.read(0, new Uint8Array(4))).toBe(-14);
    expect(group.dma.translate(0, DMA_READ)).toBeUndefined();
  });

  test('a group with a foreign domain cannot be claimed', () => {
    const group = new IommuGroup({ id: 1 });
    group.attach({ name: 'foreign', translate: () => false });
    expect(group.claim({})).toBe(EBUSY);
  });

  test('members of a group are its devices, VFIO’s and others', () => {
    const host = new TestHost();
    const device = host.device({ name: '0000:00:02.0' });
    host.groups.register(new StubDevice('0000:00:02.1', device.iommuGroup));
    expect([...device.iommuGroup!.members]).toEqual(['0000:00:02.0', '0000:00:02.1']);
    expect([...host.groups]).toHaveLength(1);
  });
});
