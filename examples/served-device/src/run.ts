import { readFileSync, writeFileSync } from 'node:fs';
import { main, serve } from './main.js';

const [path] = process.argv.slice(2);
if (path === undefined) {
  main(console.log);
} else {
  const server = await serve(path, (event) => console.log(JSON.stringify(event)));
  console.log(`serving at ${path}`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      server.close();
      process.exit(0);
    });
  // For guests that are moved to another server while they run: QEMU does not move what their devices hold.
  const state = `${path}.state`;
  process.on('SIGUSR1', () => {
    writeFileSync(state, server.saveState());
    console.log('saved');
  });
  process.on('SIGUSR2', () => {
    server.loadState(readFileSync(state));
    console.log('loaded');
  });
}
