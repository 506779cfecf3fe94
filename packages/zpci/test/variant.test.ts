import { openFunction, PLATFORM_HOOKS } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient, findCapability, zpciBaseCapability } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { zpciVariant } from '../src/index.js';

const AT = '0001:00:00.0';
const ENTRY = { fid: 32, uid: 2, pchid: 258, pft: 11, groupId: 7 };
const machine = (firmware: Record<string, unknown>) => ({
  name: 'lpar',
  architecture: 's390x',
  functions: [{ at: '0000:00:00.0' }, { at: AT }],
  firmware,
});

describe('functions of a described s390', () => {
  it('tell what its function table says of them', () => {
    const pdev = new PciTopology().add(AT, { config: buildConfig({ vendor: 0x144d, device: 1 }) });
    const table = machine({ zpci: { '0000:00:00.0': ENTRY, [AT]: { ...ENTRY, pchid: 300 } } });
    using opened = openFunction(pdev, { register: (host) => zpciVariant(host, table) });
    const { capabilities } = new DeviceClient(opened.device, opened.process).info();
    expect(findCapability(capabilities, zpciBaseCapability)).toMatchObject({
      pchid: 300,
      gid: 7,
      pft: 11,
      fh: 0x80000002,
    });
  });

  it('can not be opened if they are not in it', () => {
    const pdev = new PciTopology().add(AT, { config: buildConfig({ vendor: 0x144d, device: 1 }) });
    const table = machine({ zpci: { '0000:00:00.0': ENTRY } });
    const open = () => openFunction(pdev, { register: (host) => zpciVariant(host, table) });
    expect(open).toThrow(expect.objectContaining({ code: 'ENODEV' }));
  });

  it('are those of any machine without a table', () => {
    const host = root.createChildContainer();
    zpciVariant(host, machine({}));
    expect(host.isRegistered(PLATFORM_HOOKS)).toBe(false);
  });

  it('are refused with what is wrong in the table', () => {
    const join = (entry: object) => () =>
      zpciVariant(root.createChildContainer(), machine({ zpci: { [AT]: entry } }));
    expect(join({ ...ENTRY, fid: '32' })).toThrow(
      `lpar: firmware.zpci.${AT}.fid: must be a whole number`,
    );
    expect(join({ ...ENTRY, vfn: 1 })).toThrow('does not know "vfn"');
  });
});
