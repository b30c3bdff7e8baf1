import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Writes `service-worker.js` with the list of files of this build, which is what the worker keeps for offline use. */
function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    apply: "build",
    generateBundle(_, bundle) {
      // Of the font only the Latin files: the others are fetched when a page needs them.
      const files = Object.keys(bundle).filter((name) => !name.endsWith(".woff2") || /inter-latin(-ext)?-wght/.test(name));
      const version = createHash("sha256").update(files.sort().join("\n")).digest("hex").slice(0, 12);
      const source = readFileSync("src/offline/service-worker.js", "utf8");
      const head = `const VERSION = ${JSON.stringify(version)};\nconst FILES = ${JSON.stringify(files.map((name) => `/${name}`))};\n`;
      this.emitFile({ type: "asset", fileName: "service-worker.js", source: head + source });
    },
  };
}

/** Writes `.br` and `.gz` beside every text file, so that the server has only to choose one. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir }) {
      for (const name of readdirSync(dir ?? "dist", { recursive: true, encoding: "utf8" })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        const path = join(dir ?? "dist", name);
        const content = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(content));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), serviceWorker(), compressed()],
  build: {
    target: "es2023",
    // The server's content policy allows no data: fonts and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The charts are one chunk, loaded when the first chart is shown.
    chunkSizeWarningLimit: 700,
  },
  // For `npm run dev`: calls go to a serving process on its default HTTP port.
  server: { proxy: { "^/(tributary\\.|auth/|readyz)": "http://127.0.0.1:8080" } },
});
