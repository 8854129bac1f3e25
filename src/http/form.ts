import type { Context } from "hono";
import { badRequest } from "./problem.ts";

/** The fields of a form, each as it was given last; throws a Problem where the body is none. */
export async function readForm(c: Context): Promise<Record<string, string | File>> {
  try {
    return await c.req.parseBody();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // such as of a body that is too large
    throw badRequest("The body is not a form: its content-type says otherwise.");
  }
}
