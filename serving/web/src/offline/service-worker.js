// Keeps the files of a release, so that the page opens at once and without a network. What the services answer is never kept here: figures
// are kept by the page itself, which forgets them with the session.
//
// The build puts before this text: RELEASE, PAGE_DIGEST (SHA-256 of index.html), PAGES (first parts of the paths that are pages), FILES.

const NAMES = "tributary-";
const CACHE = NAMES + RELEASE;
// This release and the one before, whose open pages may still want a file that the server has no more.
const RELEASES_KEPT = 2;
// The server says that its answers vary by the encodings that are accepted; the kept ones are decoded.
const ANY = { ignoreVary: true };

/** Keeps the page as the server sends it now, with its headers, if it is of this release: with the files of another it would not run. */
async function keepPage() {
  const response = await fetch("/", { cache: "no-cache" });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
  const written = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!response.ok || written !== PAGE_DIGEST) throw new Error("the server's page is of another release");
  await (await caches.open(CACHE)).put("/", response);
}

async function install() {
  // Made anew, also when this release is taken back after another: the newest caches are those that stay.
  await caches.delete(CACHE);
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES);
  await keepPage();
  await self.skipWaiting();
}

async function activate() {
  const releases = (await caches.keys()).filter((name) => name.startsWith(NAMES));
  await Promise.all(releases.slice(0, -RELEASES_KEPT).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function page(request) {
  const kept = await (await caches.open(CACHE)).match("/", ANY);
  return kept ?? fetch(request);
}

async function file(request) {
  return (await caches.match(request, ANY)) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    // Other addresses are the server's: signing in, files, what it says of itself.
    if (!PAGES.includes(pathname.split("/")[1])) return;
    event.respondWith(page(request));
    // Its headers may have changed without it, such as the content policy.
    event.waitUntil(keepPage().catch(() => undefined));
  } else if (FILES.includes(pathname) || pathname.startsWith("/assets/")) {
    event.respondWith(file(request));
  }
});
