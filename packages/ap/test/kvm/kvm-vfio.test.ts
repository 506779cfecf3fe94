import { Kvm, KvmVfio } from '@vfiokit/ap';
import { EventFd, Process } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { free } from '../support/fixture.js';

describe('the KVM-VFIO device', () => {
  it('takes a VFIO file once', () => {
    const m = free();
    const kvm = new Kvm({ name: 'g' }, m.hardware);
    const kvmVfio = new KvmVfio(kvm);
    const process = new Process();
    const group = m.assigned([5], [4]).instance.vfio.openGroup();
    const fd = process.fds.install(group);
    expect(kvmVfio.fileAdd(99, process)).toBe(-9);
    expect(kvmVfio.fileAdd(process.fds.install(new EventFd()), process)).toBe(-22);
    expect(kvmVfio.fileAdd(fd, process)).toBe(0);
    expect(kvmVfio.fileAdd(fd, process)).toBe(-17);
    expect(group.kvm).toBe(kvm);
    expect(kvmVfio.fileDel(fd, process)).toBe(0);
    expect(kvmVfio.fileDel(fd, process)).toBe(-2);
    expect(kvmVfio.fileDel(99, process)).toBe(-9);
    expect(group.kvm).toBeUndefined();
  });

  it('leaves an open device to its machine when the file is taken out', () => {
    const m = free();
    const kvm = new Kvm({ name: 'g' }, m.hardware);
    const group = m.assigned([5], [4]).instance.vfio.openGroup();
    group.setKvm(kvm);
    group.openDevice();
    group.setKvm(undefined);
    expect([...kvm.masks.apm]).toEqual([5]);
  });
});
