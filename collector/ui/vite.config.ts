import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  build: {
    // dist/.keep stays, so that cargo finds the folder; `npm run build` removes the old assets itself.
    emptyOutDir: false,
    // The page's policy allows no data: scripts or styles, so every asset is a file of its own.
    assetsInlineLimit: 0,
    // The first releases with light-dark(): the two themes stay one rule each.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
  },
  server: {
    // `npm run dev` shows the data of a `weir standalone` that runs beside it.
    proxy: { '/api': process.env.WEIR_URL ?? 'http://127.0.0.1:8470' },
  },
});
