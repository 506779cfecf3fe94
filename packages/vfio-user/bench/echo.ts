// The floor: receives a request and sends as many bytes as a reply has. `echo.js PATH`
import { acceptAt, calls } from './system-calls.js';

const buffer = new Uint8Array(new ArrayBuffer(1 << 16));
console.log('ready');
for (;;) {
  const fd = acceptAt(process.argv[2]!);
  while (calls.recv(fd, buffer, buffer.length, 0) > 0) calls.send(fd, buffer, 36, 0);
  process.exit(0);
}
