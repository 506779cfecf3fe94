// The floor: one receive, one send of as many bytes as the replies have, and nothing else. `echo.js PATH`
import { acceptAt, calls } from './system-calls.js';

const HEADER = 16;
const ACCESS = 32;
const READ = 9;
const NO_REPLY = 0x10;

const room = new ArrayBuffer(1 << 16);
const received = new Uint8Array(room);
const view = new DataView(room);
const replies = new Uint8Array(new ArrayBuffer(1 << 21));
/** Bytes of a message that has come in part. */
let left = 0;

/** How many bytes answer what stands in the first `length` bytes. */
function answer(length: number): number {
  // A read of 4 bytes by itself, which is most of what comes.
  if (length === ACCESS && view.getUint32(28, true) === 4) return ACCESS + 4;
  let size = 0;
  let at = 0;
  for (; at + HEADER <= length; at += view.getUint32(at + 4, true)) {
    if (at + view.getUint32(at + 4, true) > length) break;
    if ((view.getUint32(at + 8, true) & NO_REPLY) !== 0) continue;
    const command = view.getUint16(at + 2, true);
    size += command === READ ? ACCESS + view.getUint32(at + 28, true) : ACCESS;
  }
  left = length - at;
  if (left > 0) received.copyWithin(0, at, length);
  return size;
}

console.log('ready');
const fd = acceptAt(process.argv[2]!);
for (;;) {
  const into = left === 0 ? received : received.subarray(left);
  const got: number = calls.recv(fd, into, into.length, 0);
  if (got <= 0) break;
  const size = answer(left + got);
  if (size > 0) calls.send(fd, replies, size, 0);
}
process.exit(0);
