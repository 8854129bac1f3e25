import type { OpenAPIHono } from "@hono/zod-openapi";

type Document = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;

/** The OpenAPI 3.1 document of an app's routes, made when it is first asked for. */
export function createDescription(app: OpenAPIHono): () => Document {
  let document: Document | undefined;
  return () => {
    document ??= describe(app);
    return document;
  };
}

function describe(app: OpenAPIHono): Document {
  app.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "A personal API token of the settings page, or the operator's",
  });
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Repodex",
      version: "1",
      description:
        "Repositories that are indexed, the scans that did it, and an exact search. Ids are strings, times RFC 3339; " +
        "lists are paged by `next_cursor`.",
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    servers: [{ url: "/", description: "This server" }],
    security: [{ token: [] }],
  });
}
