import react from '@vitejs/plugin-react';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const OUT = join(__dirname, '..', '..', 'dist');
const COMPRESSIBLE = /\.(?:html|js|css|svg|json)$/;

/** A .gz and a .br beside each file, so that the server never compresses. */
function precompress(): Plugin {
  const compress = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) compress(path);
      else if (COMPRESSIBLE.test(name)) {
        const bytes = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
      }
    }
  };
  return { name: 'huitang-precompress', apply: 'build', closeBundle: () => compress(OUT) };
}

// `vite` and `vite preview` show the pages of this tree in front of a running server (HUITANG_SERVER) or the mock.
const server = process.env['HUITANG_SERVER'] ?? 'http://127.0.0.1:8788';
const toServer = { target: server, secure: false, changeOrigin: true, headers: { origin: server } };
const proxy = { '/ws': { ...toServer, ws: true }, '/api': toServer, '/huitang.v1.': toServer, '/trust': toServer };

export default defineConfig({
  plugins: [react(), precompress()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: ['chrome100', 'firefox115', 'safari16.4'],
    assetsInlineLimit: 0, // no data: addresses under `default-src 'self'`
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: { proxy },
  preview: { proxy },
});
