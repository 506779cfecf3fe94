import { main, serveCounted } from './main.js';

const [path] = process.argv.slice(2);
if (path === undefined) {
  main(console.log);
} else {
  const server = await serveCounted(path, (event) => console.log(JSON.stringify(event)));
  console.log(`serving at ${path}`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      server.close();
      process.exit(0);
    });
}
