import {
  DEVICE_OVERRIDES,
  openFunction,
  overrideRegisters,
  type Region,
  type VfioPciDriver,
} from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';
import { describe, expect, test } from 'vitest';
import { ClientMemory, MemoryTransport, VfioUserServer } from '../src/index.js';
import { bytes, Peer, u32, u64 } from './peer.js';

/** A function as the core opens it: 8 MSI-X vectors in BAR4, an INTx pin, reset on its own, a 4 GiB and an 8 GiB BAR. */
async function stage() {
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  for (const [at, value] of [
    [0x00, 0x0c091234],
    [0x04, 0x00100000],
    [0x34, 0x40],
    [0x3c, 0x0000010b],
    [0x40, 0x00070011 | (0x60 << 8)],
    [0x44, 0x00000004],
    [0x48, 0x00000804],
    [0x60, 0x00020010],
    [0x64, 0x10000000],
  ] as const)
    view.setUint32(at, value, true);
  let resets = 0;
  const pdev = new PciTopology().add('0000:00:03.0', {
    config,
    bars: [
      { kind: 'memory', size: 0x1000 },
      undefined,
      { kind: 'memory', size: 8 * 2 ** 30, is64Bit: true, prefetchable: true },
      undefined,
      { kind: 'memory', size: 0x1000 },
    ],
    onReset: () => {
      resets += 1;
    },
  });
  const { device, process } = openFunction(pdev);
  const transport = new MemoryTransport();
  const memory = new ClientMemory();
  const server = await VfioUserServer.listen({ device, process, transport, path: 'x', memory });
  const peer = new Peer(transport.connect('x'), transport);
  peer.hello();
  const silicon = pdev.function;
  const read = (region: number, offset: number, count: number) => {
    const { payload } = peer.read(region, offset, count);
    return new DataView(payload.slice(16).buffer);
  };
  const put = (region: number, offset: number, value: number) =>
    peer.write(region, offset, [...u32(value)]);
  return { peer, server, silicon, read, put, resets: () => resets };
}

describe('a function of the core behind a socket', () => {
  test('[vfio-user:67 vfio-user:68] a large BAR is sized by info and by configuration alike', async () => {
    const { peer, read, put } = await stage();
    const info = peer.ask(5, bytes(u32(32, 0, 2, 0), u64(0, 0)));
    expect(info.view.getBigUint64(16, true)).toBe(8n * 2n ** 30n);
    const upper = peer.ask(5, bytes(u32(32, 0, 3, 0), u64(0, 0)));
    expect(upper.view.getBigUint64(16, true)).toBe(0n);
    put(7, 0x18, 0xffffffff);
    put(7, 0x1c, 0xffffffff);
    expect(read(7, 0x18, 4).getUint32(0, true)).toBe(0x0000000c);
    expect(read(7, 0x1c, 4).getUint32(0, true)).toBe(0xfffffffe);
  });

  test('[vfio-user:85 vfio-user:86] read-only configuration ignores writes, COMMAND takes its own bits', async () => {
    const { peer, read, put } = await stage();
    expect(put(7, 0, 0xffffffff)[0]?.error).toBe(0);
    expect(read(7, 0, 4).getUint32(0, true)).toBe(0x0c091234);
    expect(peer.write(7, 4, [0xff, 0xff])[0]?.error).toBe(0);
    expect(read(7, 4, 2).getUint16(0, true) & 0xf800).toBe(0);
    expect(read(7, 4, 2).getUint16(0, true) & 0x0006).toBe(0x0006);
  });

  test('[vfio-user:104] an interrupt that nobody takes is pending until somebody does', async () => {
    const { peer, silicon, read, put } = await stage();
    put(7, 4, 6);
    peer.irqs(0x24, 2, 0, 1, { fds: peer.eventfds(1).fds });
    silicon.raise(3);
    expect(read(4, 0x800, 8).getUint8(0)).toBe(0b1000);
    const { fds, files } = peer.eventfds(1);
    expect(peer.irqs(0x24, 2, 3, 1, { fds })).toBe(0);
    expect(files[0]!.count).toBe(1);
    expect(read(4, 0x800, 8).getUint8(0)).toBe(0);
  });

  test('[vfio-user:102] INTx fires once, again after an unmask while asserted, and not after it was taken back', async () => {
    const { peer, silicon, put } = await stage();
    put(7, 4, 6);
    const { fds, files } = peer.eventfds(1);
    expect(peer.irqs(0x24, 0, 0, 1, { fds })).toBe(0);
    silicon.intx.assert();
    expect(files[0]!.count).toBe(1);
    peer.irqs(0x11, 0, 0, 1);
    expect(files[0]!.count).toBe(2);
    silicon.intx.deassert();
    peer.irqs(0x11, 0, 0, 1);
    expect(files[0]!.count).toBe(2);
  });

  test('[vfio-user:103] eight vectors can come one by one', async () => {
    const { peer, silicon, put } = await stage();
    put(7, 4, 6);
    for (let vector = 0; vector < 8; vector += 1) {
      const { fds, files } = peer.eventfds(1);
      expect(peer.irqs(0x24, 2, vector, 1, { fds })).toBe(0);
      silicon.raise(vector);
      expect(files[0]!.count).toBe(1);
    }
  });

  test('[vfio-user:137] a function level reset by configuration resets the function, and reads as 0', async () => {
    const { peer, read, resets } = await stage();
    const before = resets();
    expect(peer.write(7, 0x68, [0x00, 0x80])[0]?.error).toBe(0);
    expect(resets()).toBe(before + 1);
    expect(read(7, 0x68, 2).getUint16(0, true) & 0x8000).toBe(0);
  });

  test('[vfio-user:136] and so does the command', async () => {
    const { peer, resets } = await stage();
    const before = resets();
    expect(peer.errno(13)).toBe(0);
    expect(resets()).toBe(before + 1);
  });
});

describe('a BAR of plain RAM', () => {
  async function serveRam(driver?: VfioPciDriver) {
    const config = Uint8Array.of(0x34, 0x12, 0x0b, 0x0c);
    const bytes = new Uint8Array(0x4000);
    const bars = [{ kind: 'memory', size: 0x4000, block: new MemoryBlock(bytes) }] as const;
    const pdev = new PciTopology().add('0000:00:03.0', { config, configSize: 256, bars });
    const { device, process } = openFunction(pdev, driver && { driver });
    const transport = new MemoryTransport();
    const fd = transport.descriptors.install({ bytes });
    const areas = [
      { offset: 0, size: 0x1000 },
      { offset: 0x3000, size: 0x1000 },
    ];
    const mappable = new Map([[0, { fd, offset: 0, bytes, areas }]]);
    const options = { device, process, transport, path: 'ram', mappable };
    const server = await VfioUserServer.listen(options);
    const peer = new Peer(transport.connect('ram'), transport);
    peer.hello();
    peer.write(7, 4, [0x02, 0x00]);
    return { peer, bytes, server };
  }

  test('is mapped in the parts that the server names', async () => {
    const { peer, server } = await serveRam();
    const { view, fd } = peer.ask(5, bytes(u32(128, 0, 0, 0), u64(0, 0)));
    const words = Array.from({ length: 12 }, (_, i) => view.getUint32(40 + 4 * i - 8, true));
    expect(view.getUint32(4, true)).toBe(15);
    expect(words).toEqual([1 + 0x10000, 0, 2, 0, 0, 0, 0x1000, 0, 0x3000, 0, 0x1000, 0]);
    expect(fd).toBeDefined();
    server.close();
  });

  test('is not mapped where a driver stands in front of it', async () => {
    const sensor = { offset: 0x10, length: 4, read: () => 7 } as const;
    const driver: VfioPciDriver = {
      name: 'sensor-vfio-pci',
      ids: [{ vendor: 0x1234 }],
      probe: (_pdev, container) =>
        container.register(DEVICE_OVERRIDES, {
          useValue: {
            region: (index: number, next: Region) =>
              index === 0 ? overrideRegisters(next, [sensor]) : next,
          },
        }),
    };
    const { peer, server } = await serveRam(driver);
    expect(server.mappable).toEqual([]);
    expect(peer.ask(5, bytes(u32(128, 0, 0, 0), u64(0, 0))).view.getUint32(4, true)).toBe(3);
    server.close();
    expect((await serveRam()).server.mappable).toEqual([0]);
  });

  test('shows the client what the device wrote, and the device what the client wrote', async () => {
    const { peer, bytes: mapped, server } = await serveRam();
    peer.write(0, 0x10, [1, 2, 3, 4]);
    expect([...mapped.subarray(0x10, 0x14)]).toEqual([1, 2, 3, 4]);
    mapped[0x3004] = 9;
    expect(peer.read(0, 0x3004, 1).payload[16]).toBe(9);
    server.close();
  });
});
