import { z } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import { endSession, listSessions } from "../access/sessions.ts";
import { createToken, deleteToken, listTokens, MAX_TOKENS, TOKEN_SCOPES } from "../access/tokens.ts";
import type { Connection } from "../database/connect.ts";
import { makeVisible } from "../visible.ts";
import { idParameters, isId, text } from "./api/parameters.ts";
import { readParameters } from "./api/router.ts";
import { readForm } from "./form.ts";
import { MAX_TOKEN_NAME, type SettingsOptions, settingsPage, TOKEN_DAYS } from "./pages/settings.ts";
import { createView } from "./pages/view.ts";
import { notFound } from "./problem.ts";

/** More than a person has, so that only operators, who see everybody's, come to a second page. */
const TOKENS_SHOWN = 200;

const LIST_PARAMETERS = z.object({
  before: text("before", "The token that the page comes before").refine((id) => id === null || isId(id), {
    error: "before must be a token's number.",
  }),
});

const WHICH_DAYS = "Choose for how many days the token is good.";

const FORM = z.object({
  name: z
    .string({ error: "Enter a name that tells you later what the token is for." })
    .trim()
    .min(1, "Enter a name that tells you later what the token is for.")
    .max(MAX_TOKEN_NAME, `Enter a shorter name: at most ${MAX_TOKEN_NAME} characters.`)
    .refine((name) => makeVisible(name) === name, "Enter a name without control characters."),
  scope: z.enum(TOKEN_SCOPES, { error: "Choose what the token may do: read or write." }),
  days: z.coerce
    .number({ error: WHICH_DAYS })
    .refine((days) => TOKEN_DAYS.some((known) => known === days), WHICH_DAYS),
});

/** What is wrong with the answers of the form, by field. */
type Faults = Partial<Record<keyof z.input<typeof FORM>, string>>;

/** A person's API tokens; operators see and revoke everybody's. Only for browsers: a token makes no others. */
export function createSettingsRoutes({ db }: Connection): Hono {
  const routes = new Hono();

  async function render(
    c: Context,
    shown: Omit<SettingsOptions, "tokens" | "sessions" | "before" | "hasMore">,
  ) {
    const { id, sessionId, isOperator } = requireBrowser(c);
    const { before } = readParameters(c, LIST_PARAMETERS);
    const listed = await listTokens(db, isOperator ? null : id, { before, limit: TOKENS_SHOWN + 1 });
    const list = { tokens: listed.slice(0, TOKENS_SHOWN), before, hasMore: listed.length > TOKENS_SHOWN };
    const sessions = (await listSessions(db, id)).map((session) => ({
      ...session,
      is_current: session.id === sessionId,
    }));
    const status = shown.faults ? 422 : shown.created === null ? 200 : 201;
    return c.html(settingsPage(createView(c), { ...shown, ...list, sessions }), status);
  }

  routes.get("/settings", async (c) => await render(c, { created: null }));

  routes.post("/settings/tokens", async (c) => {
    const { id } = requireBrowser(c);
    const values = await readForm(c);
    const answers = FORM.safeParse(values);
    if (!answers.success)
      return await render(c, { created: null, values: textsOf(values), faults: faultsOf(answers.error) });
    const created = await createToken(db, { userId: id, ...answers.data });
    if (created !== null) return await render(c, { created });
    const name = `You have ${MAX_TOKENS} tokens, as many as can be had. Revoke one first.`;
    return await render(c, { created: null, values: textsOf(values), faults: { name } });
  });

  routes.post("/settings/tokens/:id/revoke", async (c) => {
    const { id, isOperator } = requireBrowser(c);
    const token = readParameters(c, idParameters).id;
    if (!(await deleteToken(db, token, isOperator ? null : id))) throw notFound("token");
    return c.redirect("/settings?notice=token_revoked", 303);
  });

  routes.post("/settings/sessions/:id/end", async (c) => {
    const { id } = requireBrowser(c);
    if (!(await endSession(db, readParameters(c, idParameters).id, id))) throw notFound("session");
    return c.redirect("/settings", 303);
  });

  return routes;
}

function requireBrowser(c: Context) {
  const { user, sessionId, isOperator } = c.var.caller;
  if (!user || sessionId === null) throw notFound("address");
  return { id: user.id, sessionId, isOperator };
}

/** What was typed, to be shown again. */
function textsOf(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function faultsOf(error: z.ZodError): Faults {
  return Object.fromEntries(error.issues.map(({ path, message }) => [String(path[0]), message]));
}
