import { defineConfig } from 'vitest/config';

const conditions = ['@vfiokit/source'];

export default defineConfig({
  // The decorator dialect stands here rather than being found through a tsconfig, so that tests outside any `include` are transformed alike.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['./test/setup.ts'],
    isolate: false,
    testTimeout: 60_000,
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
});
