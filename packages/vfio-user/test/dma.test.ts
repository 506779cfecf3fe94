import { describe, expect, test } from 'vitest';
import { bench, bytes, cut, type Message, message, type Peer, u64 } from './peer.js';

const EFAULT = 14;
const EAGAIN = 11;
const ECANCELED = 125;
const DMA_READ = 11;
const DMA_WRITE = 12;

const asked = (peer: Peer) =>
  cut(peer.client).map(({ id, command, view, payload }) => ({
    id,
    command,
    address: Number(view.getBigUint64(0, true)),
    count: Number(view.getBigUint64(8, true)),
    data: [...payload.slice(16)],
  }));

type Asked = ReturnType<typeof asked>[number];

/** Answers a DMA_READ or DMA_WRITE. */
function answer(
  peer: Peer,
  request: Omit<Asked, 'data'>,
  data: readonly number[] | Uint8Array = [],
  options: { error?: number; payload?: Uint8Array } = {},
): Message[] {
  const { error = 0, payload = bytes(u64(request.address, request.count), data) } = options;
  const flags = error === 0 ? 1 : 0x21;
  peer.client.send(message(request.command, payload, { id: request.id, flags, error }));
  return [];
}

describe('memory that only the client reaches', () => {
  test('[vfio-user:105] takes messages', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000);
    expect(stage.memory.read(0x1000, new Uint8Array(4))).toBe(-EAGAIN);
    const into = new Uint8Array(4);
    const results: number[] = [];
    stage.memory.readLater(0x1004, into, (result) => results.push(result));
    const [read] = asked(peer);
    expect(read).toMatchObject({ command: DMA_READ, address: 0x1004, count: 4, data: [] });
    answer(peer, read!, [9, 8, 7, 6]);
    stage.memory.writeLater(0x1008, Uint8Array.of(1, 2), (result) => results.push(result));
    const [write] = asked(peer);
    expect(write).toMatchObject({ command: DMA_WRITE, address: 0x1008, count: 2, data: [1, 2] });
    answer(peer, write!);
    expect([...into]).toEqual([9, 8, 7, 6]);
    expect(results).toEqual([0, 0]);
  });

  test('[vfio-user:126 vfio-user:127] a transfer crosses windows, but no hole', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const file = new Uint8Array(0x1000).fill(3);
    peer.map(0x1000, 0x1000, { fds: [peer.file(file)] });
    peer.map(0x2000, 0x1000);
    peer.map(0x4000, 0x1000, { fds: [peer.file(file)] });
    const into = new Uint8Array(4);
    let result: number | undefined;
    stage.memory.readLater(0x1ffe, into, (value) => {
      result = value;
    });
    const [read] = asked(peer);
    expect(read).toMatchObject({ address: 0x2000, count: 2 });
    answer(peer, read!, [5, 6]);
    expect([result, ...into]).toEqual([0, 3, 3, 5, 6]);

    const before = file.slice();
    stage.memory.writeLater(0x2ffe, new Uint8Array(0x1004), (value) => {
      result = value;
    });
    expect(result).toBe(-EFAULT);
    expect(asked(peer)).toEqual([]);
    expect(stage.memory.write(0x4ffe, Uint8Array.of(1, 2, 3, 4))).toBe(-EFAULT);
    expect(file).toEqual(before);
  });

  test('mapped windows side by side are one memory', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const files = [1, 2].map((value) => new Uint8Array(16).fill(value));
    for (const [i, file] of files.entries()) peer.map(16 * i, 16, { fds: [peer.file(file)] });
    const into = new Uint8Array(4);
    expect(stage.memory.read(14, into)).toBe(0);
    expect([...into]).toEqual([1, 1, 2, 2]);
    expect(stage.memory.view(14, 4, 'read')).toBeUndefined();
  });

  test('[vfio-user:128] 3 MiB take three messages', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x400000);
    let result: number | undefined;
    const into = new Uint8Array(3 * 2 ** 20);
    stage.memory.readLater(0, into, (value) => {
      result = value;
    });
    for (let i = 0; i < 3; i += 1) {
      const [read] = asked(peer);
      expect(read).toMatchObject({ address: i * 2 ** 20, count: 2 ** 20 });
      answer(peer, read!, new Uint8Array(2 ** 20).fill(i + 1));
    }
    expect(result).toBe(0);
    expect([into[0], into[2 ** 20], into.at(-1)]).toEqual([1, 2, 3]);
  });

  test('[vfio-user:16] a client that accepts 4 bytes is asked for 4 at a time', async () => {
    using stage = await bench();
    const peer = stage.connect();
    peer.hello('{"capabilities":{"max_data_xfer_size":4}}\0');
    peer.map(0, 0x1000);
    stage.memory.readLater(0, new Uint8Array(6), () => {});
    const [first] = asked(peer);
    expect(first!.count).toBe(4);
    answer(peer, first!, [0, 0, 0, 0]);
    expect(asked(peer)).toMatchObject([{ address: 4, count: 2 }]);
  });

  test('[vfio-user:129 vfio-user:130] a failed or wrong answer fails the transfer, and no other', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    const results: number[] = [];
    const ask = () => {
      stage.memory.readLater(0, new Uint8Array(4), (result) => results.push(result));
      return asked(peer)[0]!;
    };
    answer(peer, ask(), [], { error: EFAULT, payload: new Uint8Array(0) });
    let read = ask();
    answer(peer, { ...read, address: 8 }, [1, 2, 3, 4]);
    read = ask();
    answer(peer, { ...read, count: 3 }, [1, 2, 3]);
    read = ask();
    answer(peer, { ...read, count: 5 }, [1, 2, 3, 4]);
    read = ask();
    answer(peer, { ...read, command: DMA_WRITE }, [1, 2, 3, 4]);
    answer(peer, ask(), [1, 2, 3, 4]);
    expect(results).toEqual([-EFAULT, -5, -5, -5, -5, 0]);
    expect(peer.stays).toBe(true);
  });

  test.each([
    ['another address', u64(0x18, 1)],
    ['another count', u64(0x10, 2)],
    ['another count in 12 bytes', u64(0x10, 2).slice(0, 12)],
    ['half of an address', u64(0x10).slice(0, 4)],
  ])('[vfio-user:130] a DMA_WRITE that is answered with %s has failed', async (_, payload) => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    let result: number | undefined;
    stage.memory.writeLater(0x10, Uint8Array.of(1), (value) => {
      result = value;
    });
    const [write] = asked(peer);
    answer(peer, write!, [], { payload });
    expect(result).toBe(-5);
  });

  test.each([0, 12, 16])(
    '[vfio-user:131] a DMA_WRITE may be answered with %i bytes',
    async (size) => {
      using stage = await bench();
      const peer = stage.hello();
      peer.map(0, 0x1000);
      let result: number | undefined;
      stage.memory.writeLater(0x10, Uint8Array.of(1), (value) => {
        result = value;
      });
      const [write] = asked(peer);
      answer(peer, write!, [], { payload: bytes(u64(0x10, 1)).slice(0, size) });
      expect(result).toBe(0);
    },
  );

  test('[vfio-user:132] commands are answered while a transfer waits', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    let result: number | undefined;
    stage.memory.readLater(0, new Uint8Array(4), (value) => {
      result = value;
    });
    const [read] = asked(peer);
    expect(peer.read(0, 0, 4).error).toBe(0);
    expect(peer.map(0x10000, 0x1000)).toBe(0);
    expect(peer.irqs(0x24, 2, 0, 1, { fds: peer.eventfds(1).fds })).toBe(0);
    expect(result).toBeUndefined();
    answer(peer, read!, [1, 2, 3, 4]);
    expect(result).toBe(0);
  });

  test('a transfer that an access starts leaves behind the reply to it', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    stage.device.onWrite = () => stage.memory.readLater(0, new Uint8Array(4), () => {});
    const messages = peer.write(0, 0, [1, 0, 0, 0]);
    expect(messages.map(({ command }) => command)).toEqual([10, DMA_READ]);
  });

  test('a reply that nobody waits for is passed over while others are awaited', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    stage.memory.readLater(0, new Uint8Array(4), () => {});
    const [read] = asked(peer);
    answer(peer, { ...read!, id: read!.id + 1 }, [1, 2, 3, 4]);
    expect(cut(peer.client)).toEqual([]);
    expect(peer.stays).toBe(true);
  });

  test('[vfio-user:133 vfio-user:135] a client that goes takes its transfers along', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    const results: number[] = [];
    stage.memory.readLater(0, new Uint8Array(4), (result) => results.push(result));
    peer.client.disconnect();
    expect(results).toEqual([-125]);
    expect(stage.memory.read(0, new Uint8Array(4))).toBe(-EFAULT);
    expect(stage.hello().stays).toBe(true);
  });

  test.each([
    ['the client goes', (peer: Peer) => peer.client.disconnect()],
    ['its window goes', (peer: Peer) => peer.unmap(0, 0x1000)],
    ['all windows go', (peer: Peer) => peer.unmap(0, 0, 2)],
  ])('a device that tries again at once when %s finds nothing there', async (_, end) => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    const results: number[] = [];
    const again = () =>
      stage.memory.readLater(0, new Uint8Array(4), (result) => {
        results.push(result);
        if (results.length < 10 && result === -ECANCELED) again();
      });
    again();
    asked(peer);
    end(peer);
    expect(results).toEqual([-ECANCELED, -EFAULT]);
  });

  test.each([
    ['a reply', (peer: Peer, first: Asked) => answer(peer, first, [1, 2, 3, 4])],
    ['an unmap', (peer: Peer) => peer.unmap(0, 0x1000)],
    ['a disconnect', (peer: Peer) => peer.client.disconnect()],
  ])(
    'what a device throws at the end of a transfer, after %s, is told and spoils nothing',
    async (_, end) => {
      using stage = await bench();
      const peer = stage.hello();
      const before = stage.descriptors;
      peer.map(0, 0x1000);
      peer.map(0x1000, 0x1000, { fds: [peer.file(new Uint8Array(0x1000))] });
      const error = new TypeError('x is undefined');
      const results: number[] = [];
      stage.memory.readLater(0, new Uint8Array(4), () => {
        throw error;
      });
      stage.memory.readLater(4, new Uint8Array(4), (result) => results.push(result));
      end(peer, asked(peer)[0]!);
      expect(stage.events).toContainEqual({ kind: 'failure', error });
      peer.client.disconnect();
      expect(results).toEqual([-ECANCELED]);
      expect(stage.descriptors).toBe(before);
      expect(stage.hello().stays).toBe(true);
    },
  );

  test('a late answer to a transfer that was cancelled is passed over, and its id is free again', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    const late = new Uint8Array(4);
    stage.memory.readLater(0, late, () => {});
    const [first] = asked(peer);
    peer.unmap(0, 0x1000);
    answer(peer, first!, [1, 2, 3, 4]);
    expect([...late]).toEqual([0, 0, 0, 0]);
    expect(cut(peer.client)).toEqual([]);
    // It was the only one that was waited for: the same once more is a message out of turn.
    answer(peer, first!, [1, 2, 3, 4]);
    expect(cut(peer.client)).toMatchObject([{ id: first!.id, error: 22 }]);
  });

  test('an address that no number is exactly lies in no window', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const start = 2n ** 63n;
    peer.map(start, 0x1000, { fds: [peer.file(new Uint8Array(0x2000).fill(7))] });
    const into = new Uint8Array(3000);
    expect(stage.memory.read(start + 8n, into)).toBe(-EFAULT);
    expect(stage.memory.write(start + 8n, into)).toBe(-EFAULT);
    expect(stage.memory.view(start + 8n, 8, 'read')).toBeUndefined();
    expect(stage.memory.read(start + 2048n, into)).toBe(-EFAULT);
    expect(stage.memory.view(start + 2048n, 3000, 'read')).toBeUndefined();
    expect(into.every((byte) => byte === 0)).toBe(true);
    expect(stage.memory.read(start + 2048n, into.subarray(0, 2048))).toBe(0);
    expect(into.filter((byte) => byte === 7)).toHaveLength(2048);
  });

  test('[vfio-user:134] an unmap ends the transfers of its window before it is answered', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    peer.map(0x1000, 0x1000);
    const order: string[] = [];
    stage.memory.readLater(0, new Uint8Array(4), (result) => order.push(`first ${result}`));
    stage.memory.readLater(0x1000, new Uint8Array(4), (result) => order.push(`second ${result}`));
    const [first, second] = asked(peer);
    expect(peer.unmap(0, 0x1000)).toBe(0);
    order.push('answered');
    answer(peer, first!, [1, 2, 3, 4]);
    answer(peer, second!, [1, 2, 3, 4]);
    expect(order).toEqual(['first -125', 'answered', 'second 0']);
  });
});
