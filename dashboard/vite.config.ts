import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dashboard` serves it from its sources, beside a bridge on port 3000.
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [react()],
  build: {
    outDir: '../dist/dashboard',
    emptyOutDir: true,
    // No inlined data: addresses, so that the Content-Security-Policy needs none.
    assetsInlineLimit: 0,
    target: 'es2022',
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:3000', '/export': 'http://127.0.0.1:3000' } },
});
