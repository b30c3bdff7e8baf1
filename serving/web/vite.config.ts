import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const digest = (content: string) => createHash("sha256").update(content).digest("hex");

// Run before the page is painted: in `src/head/`, one file in the build.
const HEAD = ["missing-files", "theme"].map((name) => `/src/head/${name}.js`);

/** What the page needs before its first script has run: the scripts of its head under a name that a browser may keep for good, and the code
 * of the widgets fetched beside that of the frame instead of after it. */
function headOfPage(): Plugin {
  return {
    name: "head-of-page",
    apply: "build",
    // Before the scripts are taken for modules: these run at once.
    transformIndexHtml: {
      order: "pre",
      handler: (page) => HEAD.reduce((left, file) => left.replace(new RegExp(`\\s*<script src="${file}"></script>`), ""), page),
    },
    writeBundle: {
      // Before the files are listed and compressed.
      order: "pre",
      handler({ dir = "dist" }, bundle) {
        const script = HEAD.map((file) => readFileSync(`.${file}`, "utf8")).join("");
        const name = `/assets/head-${digest(script).slice(0, 8)}.js`;
        writeFileSync(join(dir, name), script);
        const names = Object.keys(bundle).filter((file) => /^assets\/widgets-[^/]*\.(js|css)$/.test(file));
        if (names.length !== 2) throw new Error("the build has not one script and one style sheet of widgets: see codeSplitting");
        const links = names.map((file) => `<link rel="${file.endsWith(".css") ? "stylesheet" : "modulepreload"}" crossorigin href="/${file}">\n`);
        const path = join(dir, "index.html");
        const page = readFileSync(path, "utf8").replace("</title>", `</title>\n    <script src="${name}"></script>`);
        writeFileSync(path, page.replace("</head>", `${links.join("  ")}  </head>`));
      },
    },
  };
}

/** Writes `service-worker.js` with what it must know of this build: its files, its page, and the paths at which that is shown. */
function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    apply: "build",
    writeBundle({ dir = "dist" }) {
      // What was written, not what was planned: chunks that held only styles are not. Of the font only the Latin files are kept.
      const assets = readdirSync(join(dir, "assets")).filter((name) => !name.endsWith(".woff2") || /inter-latin(-ext)?-wght/.test(name));
      const files = ["/favicon.svg", ...assets.sort().map((name) => `/assets/${name}`)];
      const pageDigest = digest(readFileSync(join(dir, "index.html"), "utf8"));
      const paths = [...readFileSync("src/routes.tsx", "utf8").matchAll(/ path: "\/([^"/]*)/g)].map(([, first]) => first);
      if (!paths.includes("executive")) throw new Error("the paths of the pages were not found in src/routes.tsx");
      const known = {
        RELEASE: digest([pageDigest, ...files].join("\n")).slice(0, 12),
        PAGE_DIGEST: pageDigest,
        PAGES: [...new Set(paths)],
        FILES: files,
      };
      const head = Object.entries(known).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
      writeFileSync(join(dir, "service-worker.js"), head.join("") + readFileSync("src/offline/service-worker.js", "utf8"));
    },
  };
}

/** Writes `.br` and `.gz` beside every text file, so that the server has only to choose one. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir = "dist" }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        const path = join(dir, name);
        const content = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(content));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), headOfPage(), serviceWorker(), compressed()],
  build: {
    target: "es2023",
    // The server's content policy allows no data: fonts and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The charts are one chunk, loaded when the first chart is shown.
    chunkSizeWarningLimit: 700,
    // Browsers fetch six files at a time, and many small ones are compressed worse: what is needed before the first paint is one file,
    // and what the dashboards have in common another.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "first", tags: ["$initial"], priority: 2 },
            { name: "widgets", test: /\/src\/(charts|data|figures|widgets)\//, minShareCount: 3 },
          ],
        },
      },
    },
  },
  // For `npm run dev`: calls go to a serving process on its default HTTP port.
  server: { proxy: { "^/(tributary\\.|api/|auth/|readyz)": "http://127.0.0.1:8080" } },
});
