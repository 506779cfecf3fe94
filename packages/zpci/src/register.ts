import { PLATFORM_HOOKS } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import type { KvmZpci } from './kvm-zpci.js';
import { KVM_ZPCI, ZPCI_FUNCTIONS } from './tokens.js';
import { type ZpciFunctions, ZpciHook } from './zpci-hook.js';

export interface ZpciOptions {
  /** What the machine knows of its functions. */
  readonly functions: ZpciFunctions;
  /** KVM's side; absent as long as the KVM module is not loaded. */
  readonly kvm?: KvmZpci;
}

/** Makes a host an s390: its PCI functions tell what firmware says of them, under every VFIO driver. */
export function registerZpci(
  container: DependencyContainer,
  { functions, kvm }: ZpciOptions,
): void {
  container.register(ZPCI_FUNCTIONS, { useValue: functions });
  if (kvm !== undefined) container.register(KVM_ZPCI, { useValue: kvm });
  container.register(PLATFORM_HOOKS, { useClass: ZpciHook });
}
