import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Lays a `.br` and a `.gz` beside each script and style: the server sends what the browser takes. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir }) {
      const folder = join(dir ?? 'dist', 'assets');
      const files = (await readdir(folder)).filter((name) => /\.(js|css)$/.test(name));
      await Promise.all(
        files.map(async (name) => {
          const data = await readFile(join(folder, name));
          await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(data));
          await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(data, { level: 9 }));
        }),
      );
    },
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
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
