import { z } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import { createToken, deleteToken, listTokens, MAX_TOKENS, TOKEN_SCOPES } from "../access/tokens.ts";
import type { Connection } from "../database/connect.ts";
import { idParameters } from "./api/parameters.ts";
import { readParameters } from "./api/router.ts";
import { settingsPage } from "./pages/settings.ts";
import { notFound } from "./problem.ts";

/** How many days a token may be made for. */
const TOKEN_DAYS = [7, 30, 90, 365] as const;
const MAX_NAME = 100;

const FORM = z.object({
  name: z
    .string({ error: "Enter a name that tells you later what the token is for." })
    .trim()
    .min(1, "Enter a name that tells you later what the token is for.")
    .max(MAX_NAME, `Enter a shorter name: at most ${MAX_NAME} characters.`)
    .refine((name) => !name.includes("\0"), "Enter a name without control characters."),
  scope: z.enum(TOKEN_SCOPES, { error: "Choose what the token may do: read or write." }),
  days: z.coerce
    .number()
    .refine(
      (days) => TOKEN_DAYS.some((known) => known === days),
      "Choose for how many days the token is good.",
    ),
});

/** What is wrong with the answers of the form, by field. */
type Faults = Partial<Record<keyof z.input<typeof FORM>, string>>;

/** A person's API tokens; operators see and revoke everybody's. Only for browsers: a token makes no others. */
export function createSettingsRoutes({ db }: Connection): Hono {
  const routes = new Hono();

  async function render(
    c: Context,
    { created = null, faults = {} }: { created?: string | null; faults?: Faults },
  ) {
    const { id, isOperator } = requireBrowser(c);
    const tokens = await listTokens(db, isOperator ? null : id);
    const status = Object.keys(faults).length > 0 ? 422 : created === null ? 200 : 201;
    return c.html(settingsPage(tokens, { created, faults }), status);
  }

  routes.get("/settings", async (c) => await render(c, {}));

  routes.post("/settings/tokens", async (c) => {
    const { id } = requireBrowser(c);
    const answers = FORM.safeParse(await c.req.parseBody());
    if (!answers.success) return await render(c, { faults: faultsOf(answers.error) });
    const created = await createToken(db, { userId: id, ...answers.data });
    if (created !== null) return await render(c, { created });
    const name = `You have ${MAX_TOKENS} tokens, as many as can be had. Revoke one first.`;
    return await render(c, { faults: { name } });
  });

  routes.post("/settings/tokens/:id/revoke", async (c) => {
    const { id, isOperator } = requireBrowser(c);
    const token = readParameters(c, idParameters).id;
    if (!(await deleteToken(db, token, isOperator ? null : id))) throw notFound("token");
    return c.redirect("/settings", 303);
  });

  return routes;
}

function requireBrowser(c: Context): { id: string; isOperator: boolean } {
  const { user, isBrowser, isOperator } = c.var.caller;
  if (!user || !isBrowser) throw notFound("address");
  return { id: user.id, isOperator };
}

function faultsOf(error: z.ZodError): Faults {
  return Object.fromEntries(error.issues.map(({ path, message }) => [String(path[0]), message]));
}
