import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { settingsJsonSchema } from "../../scan/settings.ts";

const FOLDER = path.join(import.meta.dirname, "../static");
const A_YEAR = "public, max-age=31536000, immutable";
const A_MOMENT = "max-age=300";

interface Asset {
  content: string;
  type: string;
  /** Changes with the content. */
  version: string;
}

const ASSETS = {
  "style.css": asset(readStyles(), "text/css; charset=utf-8"),
  "live.js": asset(readFileSync(path.join(FOLDER, "live.js"), "utf8"), "text/javascript; charset=utf-8"),
  "icon.svg": asset(readFileSync(path.join(FOLDER, "icon.svg"), "utf8"), "image/svg+xml"),
};

function asset(content: string, type: string): Asset {
  return { content, type, version: createHash("sha256").update(content).digest("base64url").slice(0, 10) };
}

/** One stylesheet of those in the folder, in the order of their names. */
function readStyles(): string {
  const folder = path.join(FOLDER, "style");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".css"))
    .sort()
    .map((name) => readFileSync(path.join(folder, name), "utf8"))
    .join("");
}

/** A file's address, another one whenever its content is another: so browsers may keep it for ever. */
export function assetAddress(name: keyof typeof ASSETS): string {
  return `/static/${name}?v=${ASSETS[name].version}`;
}

/** The stylesheet, the script, the icon and the schema of configurations; they tell nothing, so everyone may read them. */
export function createStaticRoutes(): Hono {
  const routes = new Hono();
  routes.use(compress());
  for (const [name, { content, type, version }] of Object.entries(ASSETS)) {
    routes.get(`/${name}`, (c) =>
      c.body(content, 200, {
        "content-type": type,
        "cache-control": c.req.query("v") === version ? A_YEAR : A_MOMENT,
      }),
    );
  }
  const schema = JSON.stringify(settingsJsonSchema(), null, 2);
  routes.get("/repodex.schema.json", (c) =>
    c.body(schema, 200, { "content-type": "application/schema+json", "cache-control": A_MOMENT }),
  );
  return routes;
}
